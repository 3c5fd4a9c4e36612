CREATE TABLE IF NOT EXISTS playlist_tracks (
    playlist_id    bigint NOT NULL,
    display_order  integer NOT NULL,
    track_id       bigint NOT NULL,

    CONSTRAINT playlist_tracks_pkey PRIMARY KEY (playlist_id, display_order),
    CONSTRAINT playlist_tracks_playlist_id_fkey FOREIGN KEY (playlist_id) REFERENCES playlists (id) ON DELETE CASCADE,
    CONSTRAINT playlist_tracks_track_id_fkey FOREIGN KEY (track_id) REFERENCES tracks (id) ON DELETE RESTRICT,
    CONSTRAINT playlist_tracks_display_order_check CHECK (display_order BETWEEN 1 AND 999)
);

CREATE INDEX IF NOT EXISTS playlist_tracks_track_id_idx ON playlist_tracks (track_id);
