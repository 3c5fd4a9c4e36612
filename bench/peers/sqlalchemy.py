"""SQLAlchemy 1.4 with psycopg2, as its own documentation teaches: a declarative base, a Session for each unit of work.

Reads a block of calls from standard input, one JSON object a line, and answers each with the time it took.
"""
import hashlib
import json
import sys
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from sqlalchemy import (BigInteger, Boolean, Column, DateTime, ForeignKey, Integer, LargeBinary, String, create_engine,
                        func)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Session, declarative_base, relationship, selectinload

Base = declarative_base()


def new_id():
    return uuid.uuid4().hex


def now():
    return datetime.now(timezone.utc)


class Account(Base):
    __tablename__ = "accounts"
    id = Column(String, primary_key=True, default=new_id)
    email = Column(String)
    email_key = Column(String)
    password_hash = Column(String)
    created_at = Column(DateTime(timezone=True), default=now)
    email_confirmed = Column(Boolean, default=False)
    is_super_user = Column(Boolean, default=False)


class Album(Base):
    __tablename__ = "albums"
    id = Column(BigInteger, primary_key=True)
    name = Column(String)
    url = Column(String)
    year = Column(Integer)
    price_cents = Column(BigInteger)
    image_url = Column(String)
    has_preview = Column(Boolean)
    is_published = Column(Boolean)
    tracks = relationship("Track", order_by="Track.display_order")


class Track(Base):
    __tablename__ = "tracks"
    id = Column(BigInteger, primary_key=True)
    album_id = Column(BigInteger, ForeignKey("albums.id"))
    name = Column(String)
    length_seconds = Column(Integer)
    audio_url = Column(String)
    video_url = Column(String)
    display_order = Column(Integer)


class PasswordReset(Base):
    __tablename__ = "password_resets"
    id = Column(String, primary_key=True, default=new_id)
    account_id = Column(String, ForeignKey("accounts.id"))
    token_hash = Column(LargeBinary)
    created_at = Column(DateTime(timezone=True), default=now)
    expires_at = Column(DateTime(timezone=True))
    used_at = Column(DateTime(timezone=True))
    used_ip = Column(INET)
    account = relationship("Account")


class Purchase(Base):
    __tablename__ = "purchases"
    id = Column(BigInteger, primary_key=True)
    account_id = Column(String, ForeignKey("accounts.id"))
    album_id = Column(BigInteger, ForeignKey("albums.id"))
    payment_ref = Column(String)
    description = Column(String, default="")
    amount_paid_cents = Column(BigInteger)
    created_at = Column(DateTime(timezone=True), default=now)


def digest(token):
    return hashlib.sha256(token.encode()).digest()


def today():
    return datetime.now(ZoneInfo("Europe/Berlin")).replace(hour=0, minute=0, second=0, microsecond=0)


def account_by_email(session, email):
    return session.query(Account).filter_by(email_key=email.lower()).one()


def album_by_id(session, id):
    return session.query(Album).options(selectinload(Album.tracks)).filter_by(id=id).one()


def list_albums(session, n):
    return (session.query(Album).options(selectinload(Album.tracks)).filter(Album.is_published)
            .order_by(Album.year.desc(), Album.id.desc()).limit(n).all())


def create_account(session, new):
    account = Account(email=new["email"], email_key=new["email"].lower(), password_hash=new["password_hash"])
    session.add(account)
    session.commit()
    return account


def create_reset(session, account_id):
    reset = PasswordReset(account_id=account_id, token_hash=digest(new_id()), expires_at=now() + timedelta(hours=1))
    session.add(reset)
    session.commit()
    return reset


def redeem_reset(session, new):
    at = now()
    reset = (session.query(PasswordReset)
             .filter(PasswordReset.token_hash == digest(new["token"]), PasswordReset.used_at.is_(None),
                     PasswordReset.expires_at > at).one())
    reset.used_at, reset.used_ip = at, "192.0.2.7"
    account = reset.account
    account.password_hash = new["password_hash"]
    session.commit()
    return account


def create_album(session, new):
    tracks = [Track(display_order=i + 1, **t) for i, t in enumerate(new.pop("tracks"))]
    album = Album(tracks=tracks, **new)
    session.add(album)
    session.commit()
    return album


def record_purchase(session, new):
    purchase = Purchase(**new)
    session.add(purchase)
    session.commit()
    return purchase


def buy(session, new):
    account = session.query(Account).filter_by(email_key=new.pop("email").lower()).one()
    purchase = Purchase(account_id=account.id, **new)
    session.add(purchase)
    session.commit()
    return purchase

def load_tracks(session, tracks):
    session.bulk_insert_mappings(Track, tracks)
    session.commit()


def accounts_today(session, _):
    return (session.query(func.count()).select_from(Account)
            .filter(Account.created_at >= today(), Account.created_at < today() + timedelta(days=1)).scalar())


def accounts_per_day(session, days):
    day = func.date_trunc("day", Account.created_at, "Europe/Berlin").label("day")
    rows = (session.query(day, func.count().label("accounts"))
            .filter(Account.created_at >= today() - timedelta(days=days - 1), Account.created_at < today() + timedelta(days=1))
            .group_by(day).order_by(day).all())
    return [{"day": row.day, "accounts": row.accounts} for row in rows]


def plain(value):
    """What the check compares."""
    if isinstance(value, Base):
        row = {c.name: plain(getattr(value, c.name)) for c in value.__table__.columns}
        if isinstance(value, Album):
            row["tracks"] = plain(value.tracks)
        return row
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return value


def main():
    url, pool_size = sys.argv[1], int(sys.argv[2])
    engine = create_engine(url, pool_size=pool_size, max_overflow=0)

    def run(call, inputs):
        for value in inputs:
            with Session(engine) as session:
                call(session, value)

    for line in sys.stdin:
        block = json.loads(line)
        call, inputs, threads = globals()[block["op"]], block["in"], block["threads"]
        answer = {}
        try:
            if block["check"]:
                with Session(engine) as session:
                    answer["result"] = plain(call(session, inputs[0]))
            elif threads == 1:
                cpu, start = time.process_time_ns(), time.perf_counter_ns()
                run(call, inputs)
                answer = {"wall": time.perf_counter_ns() - start, "cpu": time.process_time_ns() - cpu}
            else:
                workers = [threading.Thread(target=run, args=(call, inputs[i::threads])) for i in range(threads)]
                cpu, start = time.process_time_ns(), time.perf_counter_ns()
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
                answer = {"wall": time.perf_counter_ns() - start, "cpu": time.process_time_ns() - cpu}
        except Exception as e:  # it is the other side's to decide what becomes of it
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


main()
