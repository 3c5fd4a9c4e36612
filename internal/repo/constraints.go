package repo

import "strings"

// Constraint is the sentinel of a constraint or a unique index: its name in the database. Those of a table that has no
// Go have none below, and need none: errors.Is(err, repo.Constraint("playlists_name_key")) holds for them as well.
type Constraint string

// Referenced is the sentinel of a foreign key seen from the other side: the row can't go, another one refers to it.
func (c Constraint) Referenced() Constraint { return c + referenced }

const referenced = " (referenced)"

// Error says what the constraint refuses.
func (c Constraint) Error() string {
	if text, ok := refusals[c]; ok {
		return text
	}

	return "constraint " + string(c)
}

// The sentinels, one a constraint. A not-null constraint has the name that PostgreSQL 18 gives it:
// Constraint("accounts_email_not_null").
const (
	ErrAccountIDTaken        = Constraint("accounts_pkey")
	ErrEmailTaken            = Constraint("accounts_email_key")
	ErrAccountIDInvalid      = Constraint("accounts_id_check")
	ErrEmailInvalid          = Constraint("accounts_email_check")
	ErrEmailKeyInvalid       = Constraint("accounts_email_key_check")
	ErrPasswordHashInvalid   = Constraint("accounts_password_hash_check")
	ErrAccountTimeInvalid    = Constraint("accounts_created_at_check")
	ErrAccountHasPurchases   = Constraint("purchases_account_id_fkey" + referenced)
	ErrAlbumIDTaken          = Constraint("albums_pkey")
	ErrAlbumNameTaken        = Constraint("albums_name_key")
	ErrAlbumURLTaken         = Constraint("albums_url_key")
	ErrAlbumNameInvalid      = Constraint("albums_name_check")
	ErrAlbumURLInvalid       = Constraint("albums_url_check")
	ErrAlbumYearInvalid      = Constraint("albums_year_check")
	ErrAlbumPriceInvalid     = Constraint("albums_price_cents_check")
	ErrAlbumImageURLInvalid  = Constraint("albums_image_url_check")
	ErrAlbumHasPurchases     = Constraint("purchases_album_id_fkey" + referenced)
	ErrTrackIDTaken          = Constraint("tracks_pkey")
	ErrTrackAlbumUnknown     = Constraint("tracks_album_id_fkey")
	ErrTrackPositionTaken    = Constraint("tracks_display_order_key")
	ErrTrackNameInvalid      = Constraint("tracks_name_check")
	ErrTrackLengthInvalid    = Constraint("tracks_length_seconds_check")
	ErrTrackAudioURLInvalid  = Constraint("tracks_audio_url_check")
	ErrTrackVideoURLInvalid  = Constraint("tracks_video_url_check")
	ErrTrackPositionInvalid  = Constraint("tracks_display_order_check")
	ErrPurchaseIDTaken       = Constraint("purchases_pkey")
	ErrPaymentRefTaken       = Constraint("purchases_payment_ref_key")
	ErrBuyerUnknown          = Constraint("purchases_account_id_fkey")
	ErrPurchaseAlbumUnknown  = Constraint("purchases_album_id_fkey")
	ErrPaymentRefInvalid     = Constraint("purchases_payment_ref_check")
	ErrDescriptionInvalid    = Constraint("purchases_description_check")
	ErrAmountPaidInvalid     = Constraint("purchases_amount_paid_cents_check")
	ErrPurchaseTimeInvalid   = Constraint("purchases_created_at_check")
	ErrResetIDTaken          = Constraint("password_resets_pkey")
	ErrResetTokenTaken       = Constraint("password_resets_token_hash_key")
	ErrResetOpen             = Constraint("password_resets_account_id_key")
	ErrResetAccountUnknown   = Constraint("password_resets_account_id_fkey")
	ErrResetIDInvalid        = Constraint("password_resets_id_check")
	ErrResetTokenHashInvalid = Constraint("password_resets_token_hash_check")
	ErrResetTimeInvalid      = Constraint("password_resets_created_at_check")
	ErrResetExpiryInvalid    = Constraint("password_resets_expires_at_check")
	ErrResetUsedAtInvalid    = Constraint("password_resets_used_at_check")
	ErrResetUsedIPInvalid    = Constraint("password_resets_used_ip_check")
)

// refusals has the words for each. A test reads the catalogue and fails when a constraint has none here.
var refusals = map[Constraint]string{ //nolint:gosec // words, no credentials
	ErrAccountIDTaken:        "account id already taken",
	ErrEmailTaken:            "e-mail already taken",
	ErrAccountIDInvalid:      "id must be 32 lower-case hexadecimal characters",
	ErrEmailInvalid:          "email must have 3 to 320 characters",
	ErrEmailKeyInvalid:       "email must have one @ and no spaces",
	ErrPasswordHashInvalid:   "password_hash must be in PHC string format",
	ErrAccountTimeInvalid:    "created_at must be of the years 1 to 9999",
	ErrAccountHasPurchases:   "account has purchases",
	ErrAlbumIDTaken:          "album id already taken",
	ErrAlbumNameTaken:        "album name already taken",
	ErrAlbumURLTaken:         "album url already taken",
	ErrAlbumNameInvalid:      "name must have 1 to 200 characters, and not spaces alone",
	ErrAlbumURLInvalid:       "url must have 1 to 200 of the characters A-Z a-z 0-9 . _ ~ -, and not be . or ..",
	ErrAlbumYearInvalid:      "year must be from 1860 to 2200",
	ErrAlbumPriceInvalid:     "price_cents must be from 0 to 100000000",
	ErrAlbumImageURLInvalid:  "image_url must have 1 to 2000 characters",
	ErrAlbumHasPurchases:     "album has purchases",
	ErrTrackIDTaken:          "track id already taken",
	ErrTrackAlbumUnknown:     "album of the track does not exist",
	ErrTrackPositionTaken:    "album has a track at this display_order already",
	ErrTrackNameInvalid:      "track name must have 1 to 200 characters, and not spaces alone",
	ErrTrackLengthInvalid:    "length_seconds must be from 0 to 86400",
	ErrTrackAudioURLInvalid:  "audio_url must have 1 to 2000 characters",
	ErrTrackVideoURLInvalid:  "video_url must have 1 to 2000 characters",
	ErrTrackPositionInvalid:  "display_order must be from 1 to the number of tracks, which is 999 at most",
	ErrPurchaseIDTaken:       "purchase id already taken",
	ErrPaymentRefTaken:       "payment reference already used for another purchase",
	ErrBuyerUnknown:          "account of the purchase does not exist",
	ErrPurchaseAlbumUnknown:  "album of the purchase does not exist",
	ErrPaymentRefInvalid:     "payment_ref must have 1 to 200 characters, and not spaces alone",
	ErrDescriptionInvalid:    "description must have 1000 characters at most",
	ErrAmountPaidInvalid:     "amount_paid_cents must be from 0 to 100000000",
	ErrPurchaseTimeInvalid:   "created_at must be of the years 1 to 9999",
	ErrResetIDTaken:          "reset id already taken",
	ErrResetTokenTaken:       "reset token already taken",
	ErrResetOpen:             "account has an open reset already",
	ErrResetAccountUnknown:   "account of the reset does not exist",
	ErrResetIDInvalid:        "id must be 32 lower-case hexadecimal characters",
	ErrResetTokenHashInvalid: "token_hash must be a SHA-256",
	ErrResetTimeInvalid:      "created_at must be of the years 1 to 9999",
	ErrResetExpiryInvalid:    "expires_at must be after created_at, and before the year 10000",
	ErrResetUsedAtInvalid:    "used_at must be from created_at until before expires_at",
	ErrResetUsedIPInvalid:    "used_ip must go with used_at",
}

// columnOf returns the column that a constraint is about, from its name: table, column, kind.
func columnOf(table, constraint string) string {
	rest := strings.TrimPrefix(constraint, table+"_")
	if rest == "pkey" {
		return "id"
	}
	if i := strings.LastIndexByte(rest, '_'); i > 0 {
		return rest[:i]
	}

	return rest
}
