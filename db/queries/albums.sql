-- name: CreateAlbum :one
-- CreateAlbum inserts an album with its tracks, in the order given. It returns the album as stored, and the ids of its tracks.
-- A column of the tracks is NULL in the result when it was stored as given. It is returned when a trigger changed it. An empty
-- URL of a track means that it has none.
--
-- No row when a trigger drops the album. If a trigger drops a track, the statement fails and nothing is kept (see
-- SetPasswordHash).
WITH album AS (
    INSERT INTO albums (name, url, year, price_cents, image_url, has_preview, is_published)
    VALUES (@name, @url, @year, @price_cents, @image_url, @has_preview, @is_published)
    RETURNING *
), listed AS (
    SELECT
        t.display_order::integer AS display_order,
        t.name,
        (@track_lengths::integer[])[t.display_order] AS length_seconds,
        nullif((@track_audio_urls::text[])[t.display_order], '') AS audio_url,
        nullif((@track_video_urls::text[])[t.display_order], '') AS video_url
    FROM unnest(@track_names::text[]) WITH ORDINALITY AS t (name, display_order) /* generate_series would be planned at each call */
), inserted AS (
    INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
    SELECT album.id, listed.name, listed.length_seconds, listed.audio_url, listed.video_url, listed.display_order
    FROM album
    CROSS JOIN listed
    ORDER BY listed.display_order
    RETURNING *
), stored AS (
    SELECT
        coalesce(array_agg(t.id), '{}') AS ids,
        array_agg(t.name) AS names,
        array_agg(t.length_seconds) AS lengths,
        array_agg(coalesce(t.audio_url, '')) AS audio_urls,
        array_agg(coalesce(t.video_url, '')) AS video_urls,
        array_agg(t.display_order) AS display_orders
    FROM (
        SELECT inserted.*
        FROM inserted
        WHERE inserted.album_id = (SELECT album.id FROM album)
        ORDER BY inserted.display_order
    ) AS t
)
SELECT
    CASE
        WHEN cardinality(stored.ids) = coalesce(cardinality(@track_names::text[]), 0) THEN album.id
        ELSE current_setting('dbtx.rows_not_kept')::bigint
    END::bigint AS id,
    album.name, album.url, album.year, album.price_cents, album.image_url, album.has_preview, album.is_published,
    stored.ids::bigint[] AS track_ids,
    nullif(stored.names::text[], @track_names::text[])::text[] AS track_names, /* cast, because a column may have a wider type */
    nullif(stored.lengths::integer[], @track_lengths::integer[])::integer[] AS track_lengths,
    nullif(stored.audio_urls::text[], @track_audio_urls::text[])::text[] AS track_audio_urls,
    nullif(stored.video_urls::text[], @track_video_urls::text[])::text[] AS track_video_urls,
    nullif(stored.display_orders::integer[], (SELECT array_agg(listed.display_order) FROM listed))::integer[] AS display_orders
FROM album
CROSS JOIN stored;

-- name: CreateAlbums :exec
-- CreateAlbums inserts albums with their tracks, all in the order given. track_albums has the number of each track's album; the
-- first album is 1. track_orders has each track's position in its album. An empty image URL or track URL means that there is none.
--
-- If a trigger drops a row, the statement fails and nothing is kept (see SetPasswordHash). The same happens if a trigger sends a track
-- to an older album, or changes the URL of an album: the statement finds the album of a track by that URL.
-- +default url: CreateAlbums of the store fills the missing ones in, because they are elements of an array.
WITH listed AS (
    SELECT
        generate_series(1, cardinality(@names::text[])) AS number,
        unnest(@names::text[]) AS name,
        unnest(@urls::text[]) AS url,
        unnest(@years::integer[]) AS year,
        unnest(@prices_cents::bigint[]) AS price_cents,
        nullif(unnest(@image_urls::text[]), '') AS image_url,
        unnest(@have_preview::boolean[]) AS has_preview,
        unnest(@are_published::boolean[]) AS is_published
), inserted AS (
    INSERT INTO albums (name, url, year, price_cents, image_url, has_preview, is_published)
    SELECT
        listed.name, listed.url, listed.year, listed.price_cents, listed.image_url, listed.has_preview,
        listed.is_published
    FROM listed
    ORDER BY listed.number
    RETURNING id, url
), listed_tracks AS (
    SELECT
        unnest(@track_albums::integer[]) AS number,
        unnest(@track_orders::integer[]) AS display_order,
        unnest(@track_names::text[]) AS name,
        unnest(@track_lengths::integer[]) AS length_seconds,
        nullif(unnest(@track_audio_urls::text[]), '') AS audio_url,
        nullif(unnest(@track_video_urls::text[]), '') AS video_url
), inserted_tracks AS (
    INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
    SELECT
        inserted.id, listed_tracks.name, listed_tracks.length_seconds, listed_tracks.audio_url, listed_tracks.video_url,
        listed_tracks.display_order
    FROM listed_tracks
    JOIN listed ON listed.number = listed_tracks.number
    JOIN inserted ON inserted.url = listed.url
    ORDER BY listed_tracks.number, listed_tracks.display_order
    RETURNING album_id
)
SELECT
    CASE
        WHEN (SELECT count(*) FROM inserted) = cardinality(@names::text[])
            AND (SELECT count(*) FROM inserted_tracks JOIN inserted ON inserted.id = inserted_tracks.album_id) = coalesce(cardinality(@track_names::text[]), 0)
            THEN true
        ELSE current_setting('dbtx.rows_not_kept')::boolean
    END::boolean;

-- name: GetAlbum :one
-- GetAlbum returns the album with this id, without its tracks; no row when there is none.
SELECT *
FROM albums
WHERE id = @id;

-- name: GetAlbumByURL :one
-- GetAlbumByURL returns the album at this URL, without its tracks; no row when there is none.
SELECT *
FROM albums
WHERE url = @url;

-- name: ListPublishedAlbums :many
-- ListPublishedAlbums returns up to page_size published albums without their tracks, the newest year and the highest id first. It
-- begins after the album with the given year and id.
-- +pages
SELECT *
FROM albums
WHERE is_published AND (year, id) < (@before_year::integer, @before_id::bigint)
ORDER BY year DESC, id DESC
LIMIT @page_size;

-- name: ListAlbums :many
-- ListAlbums returns up to page_size albums in the order of their ids, published or not, without their tracks. It begins after
-- the given id.
-- +pages
SELECT *
FROM albums
WHERE id > @after_id
ORDER BY id
LIMIT @page_size;

-- name: UpdateAlbum :one
-- UpdateAlbum replaces all columns of the album except its id, and returns it; no row when there is none. It leaves the tracks.
UPDATE albums
SET
    name = @name,
    url = @url,
    year = @year,
    price_cents = @price_cents,
    image_url = @image_url,
    has_preview = @has_preview,
    is_published = @is_published
WHERE id = @id
RETURNING *;

-- name: PublishAlbum :one
-- PublishAlbum puts the album on sale, and returns it; no row when there is none.
UPDATE albums
SET is_published = true
WHERE id = @id
RETURNING *;

-- name: UnpublishAlbum :one
-- UnpublishAlbum takes the album off sale, and returns it; no row when there is none.
UPDATE albums
SET is_published = false
WHERE id = @id
RETURNING *;

-- name: DeleteAlbum :one
-- DeleteAlbum deletes the album and its tracks, and returns it; no row when there is none. An album that somebody
-- bought cannot be deleted.
DELETE FROM albums
WHERE id = @id
RETURNING *;

-- name: LockAlbum :one
-- LockAlbum locks the album until the transaction ends, so that only one caller at a time renumbers its tracks; no row when there
-- is none.
SELECT id
FROM albums
WHERE id = @id
FOR NO KEY UPDATE;
