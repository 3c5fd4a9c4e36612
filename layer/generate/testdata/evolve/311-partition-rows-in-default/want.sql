SELECT (SELECT count(*) = 100 FROM bk_m) AND to_regclass('bk_m_2021') IS NULL;
