package peers

// The statements of those who write SQL by hand.
const (
	accountByEmail = `SELECT id, email, email_key, password_hash, created_at, email_confirmed, is_super_user
FROM accounts WHERE email_key = $1`

	albumByID = `SELECT id, name, url, year, price_cents, image_url, has_preview, is_published
FROM albums WHERE id = $1`

	tracksOfAlbum = `SELECT id, album_id, name, length_seconds, audio_url, video_url, display_order
FROM tracks WHERE album_id = $1 ORDER BY display_order`

	publishedAlbums = `SELECT id, name, url, year, price_cents, image_url, has_preview, is_published
FROM albums WHERE is_published ORDER BY year DESC, id DESC LIMIT $1`

	tracksOfAlbums = `SELECT id, album_id, name, length_seconds, audio_url, video_url, display_order
FROM tracks WHERE album_id = ANY($1) ORDER BY album_id, display_order`

	createAccount = `INSERT INTO accounts (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user)
VALUES ($1, $2, $3, $4, $5, false, false)
ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id
WHERE (accounts.email_key, accounts.password_hash, accounts.created_at)
    = (EXCLUDED.email_key, EXCLUDED.password_hash, EXCLUDED.created_at)
RETURNING id, email, email_key, password_hash, created_at, email_confirmed, is_super_user`

	createReset = `INSERT INTO password_resets (id, account_id, token_hash, created_at, expires_at)
SELECT $1, $2, $3, $4, $5
WHERE NOT EXISTS (
    SELECT FROM password_resets AS used
    WHERE used.account_id = $2 AND used.used_at IS NOT NULL AND used.created_at > $6::timestamptz
)
ON CONFLICT (account_id) WHERE used_at IS NULL DO UPDATE
SET id = EXCLUDED.id, token_hash = EXCLUDED.token_hash, created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at
WHERE password_resets.created_at <= $6::timestamptz OR password_resets.id = EXCLUDED.id
RETURNING id, account_id, token_hash, created_at, expires_at, used_at, used_ip`

	redeemReset = `WITH redeemed AS (
    UPDATE password_resets SET used_at = $1::timestamptz, used_ip = $2
    WHERE token_hash = $3 AND used_at IS NULL AND expires_at > $1::timestamptz
    RETURNING account_id
)
UPDATE accounts SET password_hash = $4 FROM redeemed WHERE accounts.id = redeemed.account_id
RETURNING accounts.id, email, email_key, password_hash, accounts.created_at, email_confirmed, is_super_user`

	createAlbum = `WITH album AS (
    INSERT INTO albums (name, url, year, price_cents, image_url, has_preview, is_published)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING id
), listed AS (
    SELECT t.display_order::integer AS display_order, t.name, ($9::integer[])[t.display_order] AS length_seconds,
        nullif(($10::text[])[t.display_order], '') AS audio_url, nullif(($11::text[])[t.display_order], '') AS video_url
    FROM unnest($8::text[]) WITH ORDINALITY AS t (name, display_order)
), inserted AS (
    INSERT INTO tracks (album_id, name, length_seconds, audio_url, video_url, display_order)
    SELECT album.id, listed.name, listed.length_seconds, listed.audio_url, listed.video_url, listed.display_order
    FROM album CROSS JOIN listed
    ORDER BY listed.display_order
    RETURNING id, display_order
)
SELECT album.id,
    coalesce((SELECT array_agg(inserted.id ORDER BY inserted.display_order) FROM inserted), '{}')::bigint[]
FROM album`

	insertAlbum = `INSERT INTO albums (name, url, year, price_cents, image_url, has_preview, is_published)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`

	recordPurchase = `INSERT INTO purchases (account_id, album_id, payment_ref, description, amount_paid_cents, created_at)
VALUES ($1, $2, $3, '', $4, $5)
ON CONFLICT (payment_ref) DO UPDATE SET payment_ref = EXCLUDED.payment_ref
WHERE (purchases.account_id, purchases.album_id, purchases.amount_paid_cents)
    = (EXCLUDED.account_id, EXCLUDED.album_id, EXCLUDED.amount_paid_cents)
RETURNING id, account_id, album_id, payment_ref, description, amount_paid_cents, created_at`

	accountsToday = `SELECT count(*) FROM accounts WHERE created_at >= $1 AND created_at < $2`

	// How accounts per day are counted everywhere.
	accountsPerDay = `SELECT date_trunc('day', created_at, 'Europe/Berlin') AS day, count(*) AS accounts
FROM accounts WHERE created_at >= $1 AND created_at < $2 GROUP BY 1 ORDER BY 1`
)
