SELECT bool_and(m = id * 4) FROM "P";
