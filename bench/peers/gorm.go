package peers

import (
	"context"
	"strings"
	"time"

	"musicstore/internal/repo"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// gormPeer is GORM with its default configuration, without its log.
type gormPeer struct{ db *gorm.DB }

type (
	gormAccount struct {
		ID             string `gorm:"primaryKey"`
		Email          string
		EmailKey       string
		PasswordHash   string
		CreatedAt      time.Time
		EmailConfirmed bool
		IsSuperUser    bool
	}
	gormAlbum struct {
		ID          int64
		Name        string
		URL         string
		Year        int32
		PriceCents  int64
		ImageURL    *string
		HasPreview  bool
		IsPublished bool
		Tracks      []gormTrack `gorm:"foreignKey:AlbumID"`
	}
	gormTrack struct {
		ID            int64
		AlbumID       int64
		Name          string
		LengthSeconds int32
		AudioURL      *string
		VideoURL      *string
		DisplayOrder  int32
	}
	gormReset struct {
		ID        string `gorm:"primaryKey"`
		AccountID string
		TokenHash []byte
		CreatedAt time.Time
		ExpiresAt time.Time
		UsedAt    *time.Time
		UsedIP    *string
	}
	gormPurchase struct {
		ID              int64
		AccountID       string
		AlbumID         int64
		PaymentRef      string
		Description     string
		AmountPaidCents int64
		CreatedAt       time.Time
	}
)

func (gormAccount) TableName() string  { return "accounts" }
func (gormAlbum) TableName() string    { return "albums" }
func (gormTrack) TableName() string    { return "tracks" }
func (gormReset) TableName() string    { return "password_resets" }
func (gormPurchase) TableName() string { return "purchases" }

// BeforeCreate makes the id. created_at is GORM's own default.
func (a *gormAccount) BeforeCreate(*gorm.DB) error {
	a.ID = newID()

	return nil
}

// BeforeCreate makes the id.
func (r *gormReset) BeforeCreate(*gorm.DB) error {
	r.ID = newID()

	return nil
}

func openGorm(_ context.Context, url string) (Peer, error) {
	db, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard, NowFunc: now})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(PoolSize)
	pool.SetMaxIdleConns(PoolSize)

	return gormPeer{db}, nil
}

func (p gormPeer) Close() {
	if pool, err := p.db.DB(); err == nil {
		_ = pool.Close()
	}
}

func (p gormPeer) AccountByEmail(ctx context.Context, email string, see See) error {
	var a gormAccount
	err := p.db.WithContext(ctx).Where("email_key = ?", strings.ToLower(email)).First(&a).Error
	it(see, a)

	return err
}

func inOrder(db *gorm.DB) *gorm.DB { return db.Order("tracks.display_order") }

func (p gormPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a gormAlbum
	err := p.db.WithContext(ctx).Preload("Tracks", inOrder).First(&a, id).Error
	it(see, a)

	return err
}

func (p gormPeer) ListAlbums(ctx context.Context, n int, see See) error {
	var albums []gormAlbum
	err := p.db.WithContext(ctx).Where("is_published").Order("year DESC, id DESC").Limit(n).
		Preload("Tracks", inOrder).Find(&albums).Error
	it(see, albums)

	return err
}

func (p gormPeer) CreateAccount(ctx context.Context, in NewAccount, see See) error {
	a := gormAccount{Email: in.Email, EmailKey: strings.ToLower(in.Email), PasswordHash: in.PasswordHash}
	err := p.db.WithContext(ctx).Create(&a).Error
	it(see, a)

	return err
}

func (p gormPeer) CreateReset(ctx context.Context, accountID string, see See) error {
	r := gormReset{AccountID: accountID, TokenHash: digest(newID()), ExpiresAt: now().Add(time.Hour)}
	err := p.db.WithContext(ctx).Create(&r).Error
	it(see, r)

	return err
}

func (p gormPeer) RedeemReset(ctx context.Context, in Redemption, see See) error {
	var a gormAccount
	err := p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var r gormReset
		at := now()
		if err := tx.Where("token_hash = ? AND used_at IS NULL AND expires_at > ?", digest(in.Token), at).First(&r).Error; err != nil {
			return err
		}
		if err := tx.Model(&r).Updates(map[string]any{"used_at": at, "used_ip": from}).Error; err != nil {
			return err
		}

		return tx.Model(&a).Clauses(clause.Returning{}).Where("id = ?", r.AccountID).
			Update("password_hash", in.PasswordHash).Error
	})
	it(see, a)

	return err
}

func (p gormPeer) CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error {
	a := gormAlbum{
		Name: in.Name, URL: in.URL, Year: in.Year, PriceCents: in.PriceCents, ImageURL: in.ImageURL,
		HasPreview: in.HasPreview, IsPublished: in.IsPublished, Tracks: make([]gormTrack, len(in.Tracks)),
	}
	for i, t := range in.Tracks {
		a.Tracks[i] = gormTrack{
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL, DisplayOrder: int32(i + 1),
		}
	}
	err := p.db.WithContext(ctx).Create(&a).Error
	it(see, a)

	return err
}

func (p gormPeer) RecordPurchase(ctx context.Context, in NewPurchase, see See) error {
	b := gormPurchase{
		AccountID: in.AccountID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
	}
	err := p.db.WithContext(ctx).Create(&b).Error
	it(see, b)

	return err
}

func (p gormPeer) Buy(ctx context.Context, in Buying, see See) error {
	var b gormPurchase
	err := p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var a gormAccount
		if err := tx.Where("email_key = ?", strings.ToLower(in.Email)).First(&a).Error; err != nil {
			return err
		}
		b = gormPurchase{
			AccountID: a.ID, AlbumID: in.AlbumID, PaymentRef: in.PaymentRef, AmountPaidCents: in.AmountPaidCents,
		}

		return tx.Create(&b).Error
	})
	it(see, b)

	return err
}

func (p gormPeer) LoadTracks(ctx context.Context, in []Track) error {
	rows := make([]gormTrack, len(in))
	for i, t := range in {
		rows[i] = gormTrack(t)
	}

	return p.db.WithContext(ctx).CreateInBatches(rows, batch).Error
}

func (p gormPeer) AccountsToday(ctx context.Context, see See) error {
	var n int64
	err := p.db.WithContext(ctx).Model(&gormAccount{}).
		Where("created_at >= ? AND created_at < ?", today(), today().AddDate(0, 0, 1)).Count(&n).Error
	it(see, n)

	return err
}

func (p gormPeer) AccountsPerDay(ctx context.Context, days int, see See) error {
	var counts []Day
	err := p.db.WithContext(ctx).Model(&gormAccount{}).
		Select("date_trunc('day', created_at, 'Europe/Berlin') AS day, count(*) AS accounts").
		Where("created_at >= ? AND created_at < ?", today().AddDate(0, 0, 1-days), today().AddDate(0, 0, 1)).
		Group("day").Order("day").Scan(&counts).Error
	it(see, counts)

	return err
}
