-- name: CreateArtist :one
-- CreateArtist inserts an artist and returns it as stored.
-- +keyed
INSERT INTO artists (id, name, country, tags, bio, royalty_rate, created_at)
VALUES (@id, @name, @country, @tags, @bio, @royalty_rate, @created_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (artists.name, artists.country, artists.created_at) = (EXCLUDED.name, EXCLUDED.country, EXCLUDED.created_at)
RETURNING *;

-- name: GetArtist :one
-- GetArtist returns the artist with this id.
SELECT * FROM artists WHERE id = @id;

-- name: GetArtistByName :one
-- GetArtistByName returns the artist of this name, in any case.
SELECT * FROM artists WHERE lower(name) = lower(@name);

-- name: UpdateArtist :one
-- UpdateArtist changes what is given of an artist and returns it.
UPDATE artists
SET name = coalesce(sqlc.narg('name'), name),
    country = coalesce(sqlc.narg('country'), country),
    tags = coalesce(sqlc.narg('tags'), tags),
    bio = coalesce(sqlc.narg('bio'), bio),
    royalty_rate = coalesce(sqlc.narg('royalty_rate'), royalty_rate)
WHERE id = @id
RETURNING *;

-- name: DeleteArtist :one
-- DeleteArtist deletes an artist and returns it.
DELETE FROM artists WHERE id = @id RETURNING *;

-- name: LoadArtists :copyfrom
-- LoadArtists inserts artists by COPY.
INSERT INTO artists (id, name, country, tags, bio, royalty_rate, created_at)
VALUES (@id, @name, @country, @tags, @bio, @royalty_rate, @created_at);
