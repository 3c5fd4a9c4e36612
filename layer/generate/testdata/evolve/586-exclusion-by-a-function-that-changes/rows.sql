INSERT INTO t VALUES (3), (9);
CREATE FUNCTION somebody_adds() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t VALUES (10);
    RETURN 'added';
EXCEPTION WHEN exclusion_violation THEN
    RETURN 'refused';
END $$;
