SELECT (SELECT count(*) = 200 AND bool_and(v = 'x'::bk_b AND vs = '{x,y}'::bk_b[]) FROM bk_e);
