-- name: FineLoan :one
-- FineLoan fines a loan and returns the fine.
INSERT INTO fines (id, loan_id, amount, created_at)
VALUES (@id, @loan_id, @amount, @created_at)
RETURNING *;

-- name: PayFine :one
-- PayFine marks the open fine of a loan as paid, and returns it; no row when there is none.
UPDATE fines
SET paid_at = @paid_at::timestamptz
WHERE loan_id = @loan_id AND paid_at IS NULL
RETURNING *;

-- name: MemberOwes :one
-- MemberOwes returns the sum of a member's open fines; zero when there are none.
SELECT coalesce(sum(fines.amount), 0)::numeric(10, 2) AS amount
FROM loans
JOIN fines ON fines.loan_id = loans.id
WHERE loans.member_id = @member_id AND fines.paid_at IS NULL;
