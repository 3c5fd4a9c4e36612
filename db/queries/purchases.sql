-- name: RecordPurchase :one
-- RecordPurchase inserts a purchase and returns it. When the payment reference is stored already, it returns the stored purchase;
-- no row when that one has another account, album or amount.
-- +keyed
INSERT INTO purchases (account_id, album_id, payment_ref, description, amount_paid_cents, created_at)
VALUES (@account_id, @album_id, @payment_ref, @description, @amount_paid_cents, @created_at)
ON CONFLICT (payment_ref) DO UPDATE
SET payment_ref = EXCLUDED.payment_ref
WHERE (purchases.account_id, purchases.album_id, purchases.amount_paid_cents)
    = (EXCLUDED.account_id, EXCLUDED.album_id, EXCLUDED.amount_paid_cents)
RETURNING *;

-- name: GetPurchaseByPaymentRef :one
-- GetPurchaseByPaymentRef returns the purchase with this payment reference; no row when there is none.
SELECT *
FROM purchases
WHERE payment_ref = @payment_ref;

-- name: GetPurchase :one
-- GetPurchase returns the purchase with this id; no row when there is none.
SELECT *
FROM purchases
WHERE id = @id;

-- name: ListPurchases :many
-- ListPurchases returns the purchases of an account, the newest first; none when there is no such account.
-- +pages
SELECT *
FROM purchases
WHERE account_id = @account_id AND (created_at, id) < (@before_created_at::timestamptz, @before_id::bigint)
ORDER BY created_at DESC, id DESC
LIMIT @page_size;

-- name: ListPurchasedAlbumIDs :many
-- ListPurchasedAlbumIDs returns the ids of the albums that an account has bought, each once, in order.
SELECT DISTINCT album_id
FROM purchases
WHERE account_id = @account_id
ORDER BY album_id;

-- name: DailySales :many
-- DailySales counts the purchases of each day, and adds up what was paid. Day n lasts from starts[n] until just before ends[n]. It
-- returns one row for each day, in order. A day without purchases has zeros.
SELECT
    d.day_start::timestamptz AS day,
    sold.purchases::bigint AS purchases,
    sold.amount_paid_cents::bigint AS amount_paid_cents
FROM ( /* the inner SELECTs hide the number of days from the planner: one plan serves all reports */
    SELECT unnest((SELECT @starts::timestamptz[])) AS day_start, unnest((SELECT @ends::timestamptz[])) AS day_end
) AS d
CROSS JOIN LATERAL (
    SELECT count(*) AS purchases, coalesce(sum(p.amount_paid_cents), 0)::bigint AS amount_paid_cents
    FROM purchases AS p
    WHERE p.created_at >= d.day_start AND p.created_at < d.day_end
) AS sold
ORDER BY d.day_start;

-- name: ListBestSellers :many
-- ListBestSellers returns up to page_size albums that were bought at or after the time since and before the time until. Each has
-- its number of purchases and what was paid. The order is: the most purchases, the most paid, the lowest id of an album.
SELECT
    albums.id AS album_id,
    albums.name,
    sold.purchases::bigint AS purchases,
    sold.amount_paid_cents::bigint AS amount_paid_cents
FROM (
    SELECT p.album_id, count(*) AS purchases, sum(p.amount_paid_cents)::bigint AS amount_paid_cents
    FROM purchases AS p
    WHERE p.created_at >= @since AND p.created_at < @until
    GROUP BY p.album_id
    ORDER BY purchases DESC, amount_paid_cents DESC, p.album_id
    LIMIT @page_size
) AS sold
JOIN albums ON albums.id = sold.album_id
ORDER BY sold.purchases DESC, sold.amount_paid_cents DESC, albums.id;
