SELECT to_regclass('t') IS NOT NULL;
