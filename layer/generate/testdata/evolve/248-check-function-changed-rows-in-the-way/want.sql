SELECT bk_ok('vvv') AND (SELECT count(*) = 300 FROM bk_c);
