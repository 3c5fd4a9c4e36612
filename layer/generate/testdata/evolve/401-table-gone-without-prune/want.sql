SELECT (SELECT count(*) = 50 FROM somebody_v) AND (SELECT count(*) = 50 FROM somebody_f()) AND (SELECT convalidated FROM pg_constraint WHERE conname = 'somebody_fkey');
