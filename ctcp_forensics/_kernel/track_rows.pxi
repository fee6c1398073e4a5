# The named tuples of rows.py, made when they are asked for.

# --- rows, made when they are asked for ---------------------------------------------------------------------

cdef int direction_in(const flow_t* flow, int bit_of_0) noexcept nogil:
    """Which direction's bit is set; NEVER where neither is."""
    if flow.state & bit_of_0:
        return 0
    return 1 if flow.state & bit_of_0 << 1 else -1


@cython.overflowcheck(False)
cdef inline uint32_t tail_frames(const flow_t* flow) noexcept nogil:
    return last_speaker(flow).frames - flow.tail.frames_before


@cython.overflowcheck(False)
cdef inline uint32_t tail_data_segments(const flow_t* flow) noexcept nogil:
    return last_speaker(flow).data_segments - flow.tail.data_before


@cython.overflowcheck(False)
cdef inline uint32_t data_tail_segments(const flow_t* flow) noexcept nogil:
    return flow.directions[flow.data_tail_direction == 1].data_segments - flow.data_tail_before


cdef object flow_row(const tracker_t* t, const flow_t* flow):
    return rows.FlowRow._make(
        (
            src_of(t, flow)[: flow.address_len],
            dst_of(t, flow)[: flow.address_len],
            flow.ports[0],
            flow.ports[1],
            flow.first_frame,
            last_speaker(flow).last_frame,
            flow.bounds[0].first_ns,
            latest_of(t, flow),
            <int64_t> flow.directions[0].frames + flow.directions[1].frames,
            direction_in(flow, OPENED_BY_0),
            frame_in(t, flow, FIRST_SYN),
            frame_in(t, flow, FIRST_SYN_ACK),
            flow.syns,
            1 if flow.state & WATCHED else 0,
            flow.longest_silence_ns,
            frame_in(t, flow, SILENCE_FROM),
            frame_in(t, flow, SILENCE_TO),
            direction_in(flow, SILENCE_BROKEN_BY_0),
            flow.tail_direction,
            flow.tail.began.frame,
            flow.tail.began.time_ns,
            tail_frames(flow),
            tail_data_segments(flow),
            flow.data_tail_direction,
            flow.data_tail_began.frame,
            flow.data_tail_began.time_ns,
            data_tail_segments(flow),
        )
    )


cdef inline int64_t payload_bytes(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    """New bytes, and those that were not new or have no place."""
    cdef const trouble_t* trouble = seen_trouble(t, &flow.directions[side])
    cdef int64_t others = trouble.again_bytes + trouble.filling_bytes + trouble.unplaced_bytes
    return new_bytes(t, flow, side) - flow.bounds[side].bare_numbers + others


cdef inline int64_t new_bytes(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    """With the numbers of SYNs and FINs that were placed."""
    cdef const direction_t* d = &flow.directions[side]
    cdef const carry_t* carried = <const carry_t*> element(&t.carries, seen_trouble(t, d).carries)
    return d.next_pos - began_at(d) - (<int64_t> carried.skipped << 32 | flow.bounds[side].skipped)


cdef inline uint32_t max_payload_len(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    return max(<uint32_t> flow.directions[side].longest_payload, seen_oddity(t, flow).longest_payloads[side])


cdef inline uint32_t pure_acks(const direction_t* d) noexcept nogil:
    return d.frames - d.data_segments - d.odd_frames


cdef object direction_row(const tracker_t* t, const flow_t* flow, int side):
    cdef const direction_t* d = &flow.directions[side]
    cdef const direction_t* peer = &flow.directions[1 - side]
    cdef const bounds_t* bounds = &flow.bounds[side]
    cdef const trouble_t* trouble = seen_trouble(t, d)
    cdef const ending_t* ending = seen_ending(t, trouble)
    cdef const cargo_t* cargo = seen_cargo(t, d)
    cdef bint seen = d.state & SENDER_SEEN != 0
    return rows.DirectionRow._make(
        (
            d.frames,
            first_frame_of(t, flow, side),
            d.last_frame,
            bounds.first_ns,
            d.last_ns,
            d.anchor,
            1 if d.state & ISN_KNOWN else 0,
            d.next_pos,
            d.acked_pos,
            peer.advanced.time_ns,
            peer.advanced.frame,
            payload_bytes(t, flow, side),
            d.data_segments,
            frame_in(t, flow, FIRST_DATA + side),
            d.data_last.frame,
            d.data_last.time_ns,
            new_bytes(t, flow, side),
            trouble.again_bytes,
            trouble.filling_bytes,
            counted(t, trouble, HOLES_OPENED),
            counted(t, trouble, HOLES_FILLED),
            counted(t, trouble, HOLES_ACKED_PAST),
            counted(t, trouble, HOLES_FORGOTTEN),
            counted(t, trouble, RETRANSMISSIONS),
            trouble.retransmitted_frame,
            counted(t, trouble, LATE_ORIGINALS),
            counted(t, trouble, UNDECIDED_REPEATS),
            counted(t, trouble, SPURIOUS_RETRANSMISSIONS),
            counted(t, trouble, REWRITES),
            counted(t, trouble, COPIES),
            counted(t, trouble, STRAYS),
            max_payload_len(t, flow, side),
            trouble.smallest_missing_len,
            bounds.mss if bounds.options & HAS_MSS else NEVER,
            bounds.window_scale if bounds.options & HAS_WINDOW_SCALE else NEVER,
            1 if bounds.options & HAS_SACK_PERMITTED else 0,
            bounds.first_window if seen else NEVER,
            d.last_window if seen else NEVER,
            d.windows_seen,
            (d.state & WINDOW_OVERRUNS) // ONE_OVERRUN,
            flow.pushes[side],
            bounds.ttl_min if seen else NEVER,
            bounds.ttl_max if seen else NEVER,
            bounds.data_ttl if d.data_segments else NEVER,
            ids_rising(d),
            d.ids_other,
            pure_acks(d),
            counted(t, trouble, DUPLICATE_ACKS),
            counted(t, trouble, SACK_DUPLICATE_ACKS),
            counted(t, trouble, DSACKS),
            counted(t, trouble, KEEP_ALIVES),
            counted(t, trouble, KEEP_ALIVE_ACKS),
            d.window_updates,
            counted(t, trouble, ZERO_WINDOWS),
            counted(t, trouble, ZERO_WINDOW_PROBES),
            counted(t, trouble, ZERO_WINDOW_PROBE_ACKS),
            counted(t, trouble, OLD_ACKS),
            counted(t, trouble, UNSEEN_ACKS),
            d.idle_acks,
            counted(t, trouble, EPISODES_BEGUN),
            frame_in(t, flow, FIRST_FIN + side),
            bounds.fin_ns,
            ending.frame,
            ending.time_ns,
            ending.ttl,
            ending.window,
            ending.ip_id,
            ending.seq_pos,
            ending.has_ack,
            ending.rsts,
            ending.last_frame,
            d.last_ip_id if d.state & ID_SEEN else NEVER,
            d.last_ttl if seen else NEVER,
            cargo.trailer_cisco,
            cargo.trailer_weak,
            <int64_t> d.data_segments - cargo.trailer_cisco - cargo.trailer_weak - d.trailer_cut_off,
            d.trailer_cut_off,
            cargo.weak_magic,
            cargo.weak_same_magic,
            longest_run(cargo, d),
            breaks_of_runs(cargo, d),
            bounds.signature,
            d.signatures,
            cargo.messages,
            cargo.merged_segments,
            cargo.ike_messages,
            cargo.ike_repeats,
            cargo.ike_opened,
            cargo.last_ike_frame,
            cargo.last_ike_ns,
            cargo.last_ike_exchange,
            cargo.esp_messages,
            cargo.esp_missing + kept_missing(t, cargo),
            cargo.esp_repeats + kept_repeats(t, cargo),
            cargo.associations,
            cargo.checksums_right,
            cargo.checksums_wrong,
        )
    )


cdef int64_t kept_missing(const tracker_t* t, const cargo_t* cargo) noexcept nogil:
    cdef uint32_t handle = cargo.kept_first
    cdef int64_t missing = 0
    while handle:
        missing += association_at(t, handle).missing
        handle = association_at(t, handle).next
    return missing


cdef int64_t kept_repeats(const tracker_t* t, const cargo_t* cargo):
    cdef uint32_t handle = cargo.kept_first
    cdef int64_t repeats = 0
    while handle:
        repeats += association_at(t, handle).repeats
        handle = association_at(t, handle).next
    return repeats


cdef object episode_row(const episode_t* episode):
    return rows.EpisodeRow._make(
        (
            episode.wanted,
            episode.duplicate_acks,
            episode.sack_duplicate_acks,
            episode.first_frame,
            episode.first_ns,
            episode.last_frame,
            episode.last_ns,
            tuple([episode.frames[i] for i in range(episode.frames_kept)]),
            episode.outstanding,
            episode.prompted,
            episode.shortest_interval_ns,
            episode.longest_interval_ns,
            episode.close_asks,
            episode.piggybacked,
            episode.piggybacked_last_ns,
            episode.last_asked_ns,
            episode.new_segments,
            episode.new_first_frame,
            episode.new_last_frame,
            episode.new_last_ns,
            episode.sacked_left,
            episode.ttl_min,
            episode.ttl_max,
            episode.window,
            episode.sender_ike,
            episode.sender_ike_asked_ns,
            episode.peer_ike,
            episode.wanted_seen,
            episode.answered_frame,
            episode.answered_ns,
            episode.rewritten_frame,
            episode.passed_frame,
            episode.passed_ns,
        )
    )


cdef object hole_row(const hole_t* hole):
    return rows.HoleRow._make(
        (
            hole.start,
            hole.end,
            hole.opened_frame,
            hole.opened_ns,
            hole.before_frame,
            hole.esp_missing,
            hole.filled_frame,
            hole.filled_ns,
            hole.acked_frame,
            hole.acked_ns,
        )
    )


cdef object association_row(const association_t* one):
    return rows.AssociationRow._make(
        (
            one.spi,
            one.messages,
            one.first_seq,
            one.highest_seq,
            one.missing,
            one.repeats,
            one.first_frame,
            one.last_frame,
        )
    )


cdef object reset_row(const reset_t* kept, int side):
    return rows.ResetRow._make(
        (side, kept.frame, kept.time_ns, kept.ttl, kept.ip_id, kept.window, kept.seq_pos, kept.has_ack)
    )


cdef object segment_row(const segment_t* row):
    return rows.SegmentRow._make(
        (
            row.side,
            row.frame,
            row.time_ns,
            row.pos,
            row.length,
            row.ack_pos,
            row.flags,
            row.kind,
            row.spi,
            row.esp_seq,
            row.print64,
            row.is_damaged,
        )
    )
