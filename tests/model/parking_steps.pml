/* SPDX-License-Identifier: MIT */
/* The steps of src/park/parking.c, of the lane's SLEEP bit and of worker.c, for parking.pml. */

#define BIT(i)    ((mem[BITS] >> (i)) & 1)
#define CLEAR(i)  mem[BITS] = mem[BITS] & (255 - (1 << (i)))	/* [K5] */
#define TAKE(i)   spot_active[i] = spot_active[i] - (spot_active[i] > 0)

inline count_active(i) {
	atomic { FULL; n_active++; n_parked-- };	/* [K1] */
	atomic { FREE; spot_active[i]++ }
}
inline deliver(i, token) {
	count_active(i);
	atomic { asleep[i] = asleep[i] && !WAKE_BEFORE_TOKEN; REL; STORE(TOKEN(i), token) };	/* [K8] */
	atomic { FULL; asleep[i] = asleep[i] && WAKE_BEFORE_TOKEN }
}
inline wake(i) {
	if
	:: atomic { FULL && BIT(i) -> CLEAR(i) }; deliver(i, LOOK)
	:: FULL && !BIT(i)
	fi
}
inline wake_one(token) {	/* whichever; the source takes the lowest */
	if
	:: atomic { FULL && BIT(0) -> CLEAR(0); i = 0 }; deliver(i, token)
	:: atomic { FULL && BIT(1) -> CLEAR(1); i = 1 }; deliver(i, token)
	:: mem[BITS] == 0
	fi
}
inline wake_all() {
	atomic { FULL; end = mem[BITS]; mem[BITS] = 0; i = 0 };	/* [K5] */
	do
	:: i < WORKERS && (end & (1 << i)) -> deliver(i, LOOK); i++
	:: i < WORKERS && !(end & (1 << i)) -> i++
	:: i == WORKERS -> break
	od
}
inline give_up_standby() {
	if
	:: atomic { spot_standby[me] -> FULL; standby = false; spot_standby[me] = false }	/* [K6] */
	:: else
	fi
}
inline unpark() {	/* goes on, or to sleep: a wake-up is on the way */
	if
	:: atomic { FULL && (BIT(me) || NO_OWNER) -> CLEAR(me) }
	:: FULL && !BIT(me) && !NO_OWNER -> goto sleep
	fi;
	count_active(me);
	give_up_standby()
}
/* last: nobody is active now */
inline park_count() {
	if :: ARM_FIRST -> arm() :: !ARM_FIRST fi;
	if :: atomic { !LATE_BIT -> REL; ADD(BITS, 1 << me) } :: LATE_BIT fi;	/* [K4] */
	atomic { FREE; got = spot_active[me] > 0; TAKE(me) };
	atomic {	/* [K3] */
		(FULL || PARK_RELAXED);
		n_active = n_active - got; n_parked++; last = n_active == 0; got = 0;
		spot_standby[me] = !last && !standby && !NO_STANDBY;
		standby = standby || spot_standby[me]
	};
	if :: atomic { LATE_BIT -> REL; ADD(BITS, 1 << me) } :: !LATE_BIT fi
}
/* Goes on when nobody is active, to look; else to sleep. */
inline tick() {
	if
	:: atomic { FULL && n_active == 0 -> standby = false; spot_standby[me] = false };	/* [K6] */
	   goto sleep
	:: n_active > 0
	fi;
	i = 0;
	do
	:: i < WORKERS && i != me && spot_active[i] > 0 ->
		if
		:: atomic { spot_active[i] > 0 -> TAKE(i) }; atomic { FULL; n_active-- }	/* [K2] */
		:: spot_active[i] == 0
		fi;
		i++
	:: i < WORKERS && (!stuck[i] || spot_active[i] == 0) -> i++
	:: i == WORKERS -> break
	od;
	if :: n_active == 0 && !TICK_ONLY_TAKES -> i = 0 :: n_active > 0 || TICK_ONLY_TAKES -> i = 0; goto sleep fi
}

/* ---- the lane ---- */

inline arm() {	/* work: there is some */
	atomic { FULL; armed = true; end = tail };	/* [P1] */
	atomic { work = head != end && !NO_SECOND_LOOK; end = 0 }
}
inline disarm() { atomic { FULL; armed = false } }	/* [P2] */
inline wake_for() { if :: atomic { FULL && armed -> armed = false }; wake_one(LOOK) :: FULL && !armed fi }	/* [P2] */
inline submit(job) {
	if :: SLEEP_READ_FIRST -> got = armed :: !SLEEP_READ_FIRST fi;
	atomic { FREE; kind[tail] = job; end = tail; got = (SLEEP_READ_FIRST -> got : armed); tail++ };
	atomic { FULL; ready[end] = true; end = 0 };	/* [Q2] */
	if :: got -> got = 0; wake_for() :: !got fi
}

/* ---- src/engine/worker.c ---- */

inline become_active() {
	do
	:: atomic { FULL; got = n_active == 0; n_active++ };	/* [K1] */
	   atomic { FREE; spot_active[me]++ };
	   if :: got -> got = 0; disarm() :: !got fi;
	   if :: spot_active[me] -> break :: else fi
	od
}
inline leave_watch(more) {
	atomic { FREE; got = spot_active[me] > 0; TAKE(me) };
	atomic { FULL; n_active = n_active - got; last = n_active == 0; got = 0;	/* [K2] */
		work = !last && !standby && n_parked > 0 && !STANDBY_LOST };
	if
	:: last && (more || LEAVE_UNARMED) -> work = more
	:: last && !more && !LEAVE_UNARMED -> arm()
	:: work -> wake_one(PARK); work = false	/* wp__parking_appoint */
	:: !last && !work
	fi;
	if :: work -> atomic { work = 0; last = 0 }; wake_one(LOOK) :: !work -> last = 0 fi
}
inline hand_over_cheap() {	/* asked: its appointee may still be on its way */
	if :: n_parked > 0 && more -> wake_one(LOOK) :: true fi;
	if	/* see_to_standby */
	:: !standby && n_parked > 0 && !STANDBY_LOST -> wake_one(PARK); asked = true
	:: standby || n_parked <= 0 || STANDBY_LOST || asked
	fi
}
