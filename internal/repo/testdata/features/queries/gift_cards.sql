-- name: CreateGiftCard :one
-- CreateGiftCard inserts a card.
-- +keyed
INSERT INTO gift_cards (code, balance_cents, created_at)
VALUES (@code, @balance_cents, @created_at)
ON CONFLICT (code) DO UPDATE
SET code = EXCLUDED.code
WHERE (gift_cards.created_at) = (EXCLUDED.created_at)
RETURNING *;

-- name: GetGiftCard :one
-- GetGiftCard returns the card of this code.
SELECT * FROM gift_cards WHERE code = @code;

-- name: SpendGiftCard :one
-- SpendGiftCard takes an amount off a card, once per reference.
-- +keyed the balance goes down in the statement that inserts the spend, and only where it is fresh
WITH spend AS (
    INSERT INTO gift_card_spends (ref, code, amount_cents, created_at)
    VALUES (@ref, @code, @amount_cents, @created_at)
    ON CONFLICT (ref) DO UPDATE
    SET ref = EXCLUDED.ref
    WHERE (gift_card_spends.code, gift_card_spends.amount_cents) = (EXCLUDED.code, EXCLUDED.amount_cents)
    RETURNING code, amount_cents, (xmax = 0)::boolean AS fresh
)
UPDATE gift_cards
SET balance_cents = balance_cents - CASE WHEN spend.fresh THEN spend.amount_cents ELSE 0 END
FROM spend
WHERE gift_cards.code = spend.code
RETURNING gift_cards.*;
