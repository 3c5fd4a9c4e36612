SELECT (SELECT count(*) = 27 FROM bk_v2) AND (SELECT count(*) = 30 FROM bk_m) AND (SELECT relacl::text LIKE '%{=r%' OR relacl::text LIKE '%,=r/%' FROM pg_class WHERE relname = 'bk_m');
