INSERT INTO bk_stay SELECT i, i FROM generate_series(1, 100) i;
CREATE VIEW somebodys AS SELECT id, n FROM bk_stay;
GRANT SELECT ON somebodys TO PUBLIC;
CREATE FUNCTION somebodys_f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM bk_stay $$;
