SELECT count(*) = 2 AND count(t) = 1 FROM p;
