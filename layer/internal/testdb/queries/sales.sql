-- name: RecordSale :one
-- RecordSale inserts a sale and returns it. When the payment reference is stored already, it returns the stored sale;
-- no row when that one has another reader, paper or amount.
-- +keyed
INSERT INTO sales (reader_id, paper_id, payment_ref, description, amount_paid_cents, created_at)
VALUES (@reader_id, @paper_id, @payment_ref, @description, @amount_paid_cents, @created_at)
ON CONFLICT (payment_ref) DO UPDATE
SET payment_ref = EXCLUDED.payment_ref
WHERE (sales.reader_id, sales.paper_id, sales.amount_paid_cents)
    = (EXCLUDED.reader_id, EXCLUDED.paper_id, EXCLUDED.amount_paid_cents)
RETURNING *;

-- name: GetSale :one
-- GetSale returns the sale with this id; no row when there is none.
SELECT *
FROM sales
WHERE id = @id;

-- name: ListPaperIDsOfReader :many
-- ListPaperIDsOfReader returns the ids of the papers that a reader has bought, each once, in order.
SELECT DISTINCT paper_id
FROM sales
WHERE reader_id = @reader_id
ORDER BY paper_id;

-- name: CountSales :many
-- CountSales counts the sales before each of these times, in the order of the times.
SELECT
    t.at::timestamptz AS at,
    (SELECT count(*) FROM sales WHERE created_at < t.at)::bigint AS sales
FROM (SELECT unnest(@times::timestamptz[]) AS at) AS t
ORDER BY t.at;
