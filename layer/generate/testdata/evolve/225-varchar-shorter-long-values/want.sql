SELECT (SELECT count(*) = 300 AND max(length(name)) = 12 FROM bk_tags);
