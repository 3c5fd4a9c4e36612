-- name: SearchCatalog :many
-- SearchCatalog returns up to page_size albums and tracks whose names have all words of the text. The last word may be the
-- beginning of a word. The album must be within the bounds of year and price. The page begins after the given place in the
-- order. No row when the text has no words.
--
-- The parameter sort is one of these. Kind and id break ties.
--
--   - year: the newest first
--   - price: the lowest price first
--   - name: by the folded name
--   - relevance: the shortest name first
SELECT
    named.kind::text AS kind,
    named.id::bigint AS id,
    named.name::text AS name,
    album.id AS album_id,
    album.name AS album_name,
    album.url AS album_url,
    album.year,
    album.price_cents,
    album.is_published
FROM (
    SELECT 'album' AS kind, albums.id, albums.name, albums.id AS album_id
    FROM albums
    UNION ALL
    SELECT 'track' AS kind, tracks.id, tracks.name, tracks.album_id
    FROM tracks
) AS named
CROSS JOIN LATERAL ( /* no index has both the words and an order: all matches are joined by key, then filtered and sorted */
    SELECT albums.id, albums.name, albums.url, albums.year, albums.price_cents, albums.is_published
    FROM albums
    WHERE albums.id = named.album_id
    LIMIT 1 /* without it the planner reads all albums for the join */
) AS album
CROSS JOIN LATERAL (
    SELECT
        CASE @sort::text
            WHEN 'year' THEN -album.year
            WHEN 'price' THEN album.price_cents
            WHEN 'relevance' THEN char_length(named.name)
            ELSE 0
        END::bigint AS number,
        CASE WHEN @sort::text = 'name' THEN btrim(fold_name(named.name COLLATE "C")) ELSE '' END AS name
) AS place
WHERE to_tsvector('simple', fold_name(named.name COLLATE "C")) @@ (
        SELECT (nullif(plainto_tsquery('simple', fold_name(@text::text))::text, '') || ':*')::tsquery
    )
    AND (album.is_published OR @unpublished_too::boolean)
    AND album.year BETWEEN @year_from::integer AND @year_to::integer
    AND album.price_cents BETWEEN @price_cents_from::bigint AND @price_cents_to::bigint
    AND (place.number, place.name, named.kind, named.id) > (
        @after_number::bigint,
        (SELECT btrim(fold_name(@after_name::text))),
        @after_kind::text,
        @after_id::bigint
    )
ORDER BY place.number, place.name, named.kind, named.id
LIMIT @page_size;
