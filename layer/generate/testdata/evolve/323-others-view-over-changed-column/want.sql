SELECT (SELECT count(*) = 100 FROM somebodys) AND somebodys_f() = 100 AND (SELECT relacl IS NOT NULL FROM pg_class WHERE relname = 'somebodys');
