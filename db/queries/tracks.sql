-- name: GetTrack :one
-- GetTrack returns the track with this id; no row when there is none.
SELECT *
FROM tracks
WHERE id = @id;

-- name: ListTracksOfAlbum :many
-- ListTracksOfAlbum returns the tracks of this album, in display order.
SELECT *
FROM tracks
WHERE album_id = @album_id
ORDER BY display_order;

-- name: ListTracksOfAlbumByURL :many
-- ListTracksOfAlbumByURL returns the tracks of the album at this URL, in display order.
SELECT *
FROM tracks
WHERE album_id = (SELECT albums.id FROM albums WHERE albums.url = @url)
ORDER BY display_order;

-- name: ListTracksOfPublishedAlbums :many
-- ListTracksOfPublishedAlbums returns the tracks of all albums that ListPublishedAlbums returns of the same page, album by album, in
-- display order.
SELECT *
FROM tracks
WHERE
    album_id = ANY(ARRAY(
        SELECT albums.id
        FROM albums
        WHERE albums.is_published AND (albums.year, albums.id) < (@before_year::integer, @before_id::bigint)
        ORDER BY albums.year DESC, albums.id DESC
        LIMIT @page_size
    ))
ORDER BY album_id, display_order;

-- name: ListTracksOfAlbums :many
-- ListTracksOfAlbums returns the tracks of all albums that ListAlbums returns of the same page, album by album, in display order.
SELECT *
FROM tracks
WHERE album_id = ANY(ARRAY(SELECT albums.id FROM albums WHERE albums.id > @after_id ORDER BY albums.id LIMIT @page_size))
ORDER BY album_id, display_order;

-- name: ListFirstTracksOfAlbums :many
-- ListFirstTracksOfAlbums returns up to page_size tracks of these albums, album by album, in display order.
SELECT *
FROM tracks
WHERE album_id = ANY(@album_ids::bigint[])
ORDER BY album_id, display_order
LIMIT @page_size;

-- name: LoadTracks :copyfrom
-- LoadTracks adds any number of tracks to existing albums by COPY, all of them or none, and returns how many. The caller numbers
-- the tracks of each album, from 1 and without gaps.
INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
VALUES (@album_id, @name, @length_seconds, @audio_url, @video_url, @display_order);

-- name: AddTrack :one
-- AddTrack makes room at a position of a locked album, puts a track there, and returns it. Position 0 is the end.
-- No row when the position is beyond the end.
WITH place AS (
    SELECT
        coalesce(nullif(@position::integer, 0), count(*) + 1)::integer AS display_order,
        count(*) AS tracks
    FROM tracks
    WHERE album_id = @album_id
), shifted AS (
    UPDATE tracks
    SET display_order = tracks.display_order + 1
    FROM place
    WHERE tracks.album_id = @album_id AND tracks.display_order >= place.display_order
)
INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
SELECT @album_id, @name, @length_seconds, @audio_url, @video_url, place.display_order
FROM place
WHERE place.display_order BETWEEN 1 AND place.tracks + 1
RETURNING *;

-- name: MoveTrack :one
-- MoveTrack gives a track of a locked album another position, shifts the tracks in between, and returns the track. No row when
-- the position is beyond the end.
WITH moved AS (
    SELECT tracks.id, tracks.album_id, tracks.display_order
    FROM tracks
    WHERE tracks.id = @id
), changed AS (
    UPDATE tracks
    SET display_order = CASE
        WHEN tracks.id = moved.id THEN @position::integer
        WHEN moved.display_order < @position::integer THEN tracks.display_order - 1
        ELSE tracks.display_order + 1
    END
    FROM moved
    WHERE tracks.album_id = moved.album_id
        AND tracks.display_order BETWEEN
            least(moved.display_order, @position::integer) AND greatest(moved.display_order, @position::integer)
        AND @position::integer <= (SELECT count(*) FROM tracks AS t WHERE t.album_id = moved.album_id)
    RETURNING tracks.*
)
SELECT *
FROM changed
WHERE changed.id = @id::bigint;

-- name: DeleteTrack :one
-- DeleteTrack deletes a track of a locked album and closes the gap. It returns the track, how many tracks were behind it, and how
-- many of those were moved; no row when there is no such track.
WITH gone AS (
    DELETE FROM tracks
    WHERE tracks.id = @id
    RETURNING *
), shifted AS (
    UPDATE tracks
    SET display_order = tracks.display_order - 1
    FROM gone
    WHERE tracks.album_id = gone.album_id AND tracks.display_order > gone.display_order
    RETURNING tracks.id
)
SELECT
    gone.*,
    (
        SELECT count(*)
        FROM tracks AS t
        WHERE t.album_id = gone.album_id AND t.display_order > gone.display_order
    ) AS behind,
    (SELECT count(*) FROM shifted) AS moved
FROM gone;
