SELECT (SELECT count(*) = 300 AND bool_and(ns = ARRAY[id, 2]::bigint[] AND ts::text = '{a,b}' AND n = id::text) FROM bk_arr);
