SELECT nextval(pg_get_serial_sequence('invoice', 'number')) = 31 AND nextval(pg_get_serial_sequence('invoice', 'no')) = 31
    AND (SELECT indisreplident FROM pg_index WHERE indexrelid = 't_a_idx'::regclass)
    AND (SELECT indisclustered FROM pg_index WHERE indexrelid = 't_bb_idx'::regclass);
