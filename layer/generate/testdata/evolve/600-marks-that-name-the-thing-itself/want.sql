SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = '"Days"'::regclass AND attnum > 0;
