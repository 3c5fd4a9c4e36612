SELECT n = '6' FROM v;
