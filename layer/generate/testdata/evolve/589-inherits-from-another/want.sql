SELECT count(*) = 1 FROM q;
