CREATE FUNCTION bk_slug(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(replace(code, '-', '_')) $$;
CREATE TYPE bk_size AS ENUM ('small', 'large');
CREATE TABLE IF NOT EXISTS bk_parts (
    id integer NOT NULL,
    code text NOT NULL,
    slug text NOT NULL, -- +fill bk_slug(code)
    slug_length integer NOT NULL, -- +fill length(slug)
    size bk_size NOT NULL, -- +fill CASE WHEN slug_length > 5 THEN 'large' ELSE 'small' END::bk_size
    CONSTRAINT bk_parts_pkey PRIMARY KEY (id),
    CONSTRAINT bk_parts_slug_key UNIQUE (slug)
);
