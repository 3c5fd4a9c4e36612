SELECT (SELECT count(*) = 300 AND bool_and(slug = 'abc_' || id AND slug_length = length(slug) AND (size::text = 'large') = (slug_length > 5)) FROM bk_parts);
