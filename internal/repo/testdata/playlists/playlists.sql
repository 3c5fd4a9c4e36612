-- name: CreatePlaylist :one
-- CreatePlaylist inserts an empty playlist and returns it as stored.
INSERT INTO playlists (account_id, name, created_at)
VALUES (@account_id, @name, @created_at)
RETURNING *;

-- name: ListPlaylists :many
-- ListPlaylists returns the playlists of an account, in the order of their names.
-- +pages
SELECT *
FROM playlists
WHERE account_id = @account_id AND name > @after_name
ORDER BY name
LIMIT @page_size;

-- name: DeletePlaylist :one
-- DeletePlaylist deletes a playlist and returns it; no row when there is none.
DELETE FROM playlists
WHERE id = @id
RETURNING *;

-- name: AddPlaylistTrack :one
-- AddPlaylistTrack puts a track at the end of a playlist, and returns its place there.
INSERT INTO playlist_tracks (playlist_id, display_order, track_id)
SELECT @playlist_id, coalesce(max(display_order), 0) + 1, @track_id
FROM playlist_tracks
WHERE playlist_id = @playlist_id
RETURNING *;

-- name: ListPlaylistTracks :many
-- ListPlaylistTracks returns the tracks of a playlist, in its order.
SELECT tracks.*
FROM playlist_tracks
JOIN tracks ON tracks.id = playlist_tracks.track_id
WHERE playlist_tracks.playlist_id = @playlist_id
ORDER BY playlist_tracks.display_order;
