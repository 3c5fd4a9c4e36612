// Package schema is the store's tables as ent's schemas. `make bench-generate` makes generated/entgen of them.
package schema

import (
	"time"

	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"

	"musicstore/internal/repo"
)

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Account is a row of accounts.
type Account struct{ ent.Schema }

// Fields of an account.
func (Account) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").DefaultFunc(repo.NewID),
		field.String("email"),
		field.String("email_key"),
		field.String("password_hash"),
		field.Time("created_at").Default(now),
		field.Bool("email_confirmed"),
		field.Bool("is_super_user"),
	}
}

// PasswordReset is a row of password_resets.
type PasswordReset struct{ ent.Schema }

// Fields of a reset.
func (PasswordReset) Fields() []ent.Field {
	return []ent.Field{
		field.String("id").DefaultFunc(repo.NewID),
		field.String("account_id"),
		field.Bytes("token_hash"),
		field.Time("created_at").Default(now),
		field.Time("expires_at"),
		field.Time("used_at").Optional().Nillable(),
		field.String("used_ip").Optional().Nillable(),
	}
}

// Edges of a reset.
func (PasswordReset) Edges() []ent.Edge {
	return []ent.Edge{edge.To("account", Account.Type).Field("account_id").Unique().Required()}
}

// Album is a row of albums.
type Album struct{ ent.Schema }

// Fields of an album.
func (Album) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("name"),
		field.String("url"),
		field.Int32("year"),
		field.Int64("price_cents"),
		field.String("image_url").Optional().Nillable(),
		field.Bool("has_preview"),
		field.Bool("is_published"),
	}
}

// Edges of an album.
func (Album) Edges() []ent.Edge { return []ent.Edge{edge.To("tracks", Track.Type)} }

// Track is a row of tracks.
type Track struct{ ent.Schema }

// Fields of a track.
func (Track) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.Int64("album_id"),
		field.String("name"),
		field.Int32("length_seconds"),
		field.String("audio_url").Optional().Nillable(),
		field.String("video_url").Optional().Nillable(),
		field.Int32("display_order"),
	}
}

// Edges of a track.
func (Track) Edges() []ent.Edge {
	return []ent.Edge{edge.From("album", Album.Type).Ref("tracks").Field("album_id").Unique().Required()}
}

// Purchase is a row of purchases.
type Purchase struct{ ent.Schema }

// Annotations name the table.
func (Purchase) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "purchases"}}
}

// Fields of a purchase.
func (Purchase) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("account_id"),
		field.Int64("album_id"),
		field.String("payment_ref"),
		field.String("description"),
		field.Int64("amount_paid_cents"),
		field.Time("created_at").Default(now),
	}
}
