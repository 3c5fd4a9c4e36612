SELECT (SELECT (SELECT count(*) = 30 FROM names) AND (SELECT count(*) = 0 FROM users) AND pg_get_serial_sequence('old_users', 'id') <> pg_get_serial_sequence('users', 'id'));
