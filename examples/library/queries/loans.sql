-- name: LendCopy :one
-- LendCopy lends a copy to a member and returns the loan. A second call with the same id and the same values returns the stored
-- loan. No row when the id belongs to another one.
-- +keyed
INSERT INTO loans (id, copy_id, member_id, lent_at, due_at)
VALUES (@id, @copy_id, @member_id, @lent_at, @due_at)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (loans.copy_id, loans.member_id, loans.lent_at) = (EXCLUDED.copy_id, EXCLUDED.member_id, EXCLUDED.lent_at)
RETURNING *;

-- name: ReturnCopy :one
-- ReturnCopy ends the open loan of a copy at this time, and returns it; no row when the copy is not lent.
UPDATE loans
SET returned_at = @returned_at::timestamptz
WHERE copy_id = @copy_id AND returned_at IS NULL
RETURNING *;

-- name: ListLoansOfMember :many
-- ListLoansOfMember returns the loans of a member, newest first.
-- +pages
SELECT *
FROM loans
WHERE member_id = @member_id AND (lent_at, id) < (@before_lent_at::timestamptz, @before_id::text)
ORDER BY lent_at DESC, id DESC
LIMIT @page_size;

-- name: ListOverdueLoans :many
-- ListOverdueLoans returns the loans that were due before a time and are not back, those that were due first before the others.
-- +pages each loan is one row of the view
SELECT *
FROM overdue_loans
WHERE due_at < @due_before AND (due_at, id) > (@after_due_at::timestamptz, @after_id::text)
ORDER BY due_at, id
LIMIT @page_size;
