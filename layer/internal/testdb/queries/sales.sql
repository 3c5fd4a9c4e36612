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

-- name: GetSaleByPaymentRef :one
-- GetSaleByPaymentRef returns the sale with this payment reference; no row when there is none.
SELECT *
FROM sales
WHERE payment_ref = @payment_ref;

-- name: GetSale :one
-- GetSale returns the sale with this id; no row when there is none.
SELECT *
FROM sales
WHERE id = @id;

-- name: ListSales :many
-- ListSales returns up to page_size sales of a reader, newest first. It begins after the sale with the given time
-- and id.
SELECT *
FROM sales
WHERE reader_id = @reader_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::bigint)
ORDER BY created_at DESC, id DESC
LIMIT @page_size;

-- name: ListSaledPaperIDs :many
-- ListSaledPaperIDs returns the ids of the papers that a reader has bought, each once, in order.
SELECT DISTINCT paper_id
FROM sales
WHERE reader_id = @reader_id
ORDER BY paper_id;

-- name: DailySales :many
-- DailySales counts the sales of each day, and adds up what was paid. Day n lasts from starts[n] until just before ends[n]. It
-- returns one row for each day, in order. A day without sales has zeros.
SELECT
    d.day_start::timestamptz AS day,
    sold.sales::bigint AS sales,
    sold.amount_paid_cents::bigint AS amount_paid_cents
FROM ( /* the inner SELECTs hide the number of days from the planner: one plan serves all reports */
    SELECT unnest((SELECT @starts::timestamptz[])) AS day_start, unnest((SELECT @ends::timestamptz[])) AS day_end
) AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS sales, coalesce(sum(p.amount_paid_cents), 0)::bigint AS amount_paid_cents
    FROM sales AS p
    WHERE p.created_at >= d.day_start AND p.created_at < d.day_end
) AS sold
ORDER BY d.day_start;

-- name: ListBestSellers :many
-- ListBestSellers returns up to page_size papers that were bought at or after the time since and before the time until. Each has
-- its number of sales and what was paid. The order is: the most sales, the most paid, the lowest id of a paper.
SELECT
    papers.id AS paper_id,
    papers.name,
    sold.sales::bigint AS sales,
    sold.amount_paid_cents::bigint AS amount_paid_cents
FROM (
    SELECT p.paper_id, count(*) AS sales, sum(p.amount_paid_cents)::bigint AS amount_paid_cents
    FROM sales AS p
    WHERE p.created_at >= @since AND p.created_at < @until
    GROUP BY p.paper_id
    ORDER BY sales DESC, amount_paid_cents DESC, p.paper_id
    LIMIT @page_size
) AS sold
JOIN papers ON papers.id = sold.paper_id
ORDER BY sold.sales DESC, sold.amount_paid_cents DESC, papers.id;
