SELECT (SELECT count(*) = 300 FROM bk_g WHERE full_name = 'b');
