-- name: CreateInvitation :one
-- CreateInvitation inserts an invitation and returns it. When the same invitation is sent again with the same id, it returns
-- the stored one. No row when the id belongs to another invitation.
-- +keyed
INSERT INTO invitations (id, reader_id, token_hash, created_at, expires_at)
VALUES (@id, @reader_id, @token_hash, @created_at, @expires_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (invitations.reader_id, invitations.token_hash) = (EXCLUDED.reader_id, EXCLUDED.token_hash)
RETURNING *;

-- name: GetInvitation :one
-- GetInvitation returns the invitation with this digest of a token; no row when there is none.
SELECT *
FROM invitations
WHERE token_hash = @token_hash;

-- name: RedeemInvitation :one
-- RedeemInvitation marks an open invitation as used now, and returns it; no row when there is none.
UPDATE invitations
SET used_at = created_at, used_ip = @used_ip
WHERE token_hash = @token_hash AND used_at IS NULL
RETURNING *;

-- name: HasInvitation :one
-- HasInvitation says whether the reader has an open invitation.
SELECT EXISTS (SELECT FROM invitations WHERE reader_id = @reader_id AND used_at IS NULL);

-- name: DeleteExpiredInvitations :execrows
-- DeleteExpiredInvitations deletes the invitations that expired before a time, and returns how many.
DELETE FROM invitations
WHERE expires_at < @expired_before;
