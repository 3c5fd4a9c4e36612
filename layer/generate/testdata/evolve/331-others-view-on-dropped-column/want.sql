SELECT (SELECT count(*) = 20 FROM somebodys);
