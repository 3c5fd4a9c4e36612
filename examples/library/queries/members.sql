-- name: CreateMember :one
-- CreateMember inserts a member and returns it. A second call with the same id and the same values returns the stored member. No
-- row when the id belongs to another one.
-- +keyed
INSERT INTO members (id, name, email, email_key, card_number, created_at)
VALUES (@id, @name, @email, @email_key, @card_number, @created_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (members.name, members.email, members.card_number, members.created_at)
    = (EXCLUDED.name, EXCLUDED.email, EXCLUDED.card_number, EXCLUDED.created_at)
RETURNING *;

-- name: GetMember :one
-- GetMember returns the member with this id; no row when there is none.
SELECT *
FROM members
WHERE id = @id;

-- name: GetMemberByEmail :one
-- GetMemberByEmail returns the member that an address belongs to, in whatever case it is typed; no row when there is none.
SELECT *
FROM members
WHERE email_key = @email_key;

-- name: DeleteMember :one
-- DeleteMember deletes a member with their holds, and returns it; no row when there is none. A member with loans stays.
DELETE FROM members
WHERE id = @id
RETURNING *;
