-- name: CreatePlaylist :one
-- CreatePlaylist inserts an empty playlist and returns it as stored.
-- +keyed
INSERT INTO playlists (id, account_id, name, created_at)
VALUES (@id, @account_id, @name, @created_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (playlists.account_id, playlists.name, playlists.created_at) = (EXCLUDED.account_id, EXCLUDED.name, EXCLUDED.created_at)
RETURNING *;

-- name: ListPlaylists :many
-- ListPlaylists returns the playlists of an account.
SELECT * FROM playlists WHERE account_id = @account_id AND deleted_at IS NULL ORDER BY name;

-- name: DeletePlaylist :one
-- DeletePlaylist marks a playlist as deleted.
UPDATE playlists SET deleted_at = @deleted_at WHERE id = @id AND deleted_at IS NULL RETURNING *;

-- name: RestorePlaylist :one
-- RestorePlaylist brings a playlist back.
UPDATE playlists SET deleted_at = NULL WHERE id = @id AND deleted_at IS NOT NULL RETURNING *;
