// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Seeds of xs-sim that once found something; run before all others.
#pragma once
#include <cstdint>

namespace xs::sim {

struct RegressionSeed {
  std::uint64_t seed;
  const char* found;
  bool rings = false;     // whether memory was shared
  bool sleepers = false;  // whether processes slept; else they were --wakeful
  bool pauses = false;    // whether moves were announced
  bool remote = false;    // whether some reached for others' memory
  bool reads = false;     // whether neighbours' payloads were read out of their memory
  bool fences = false;    // whether some waited for all before them
};

inline constexpr RegressionSeed kRegressionSeeds[] = {
    {16, "a bulk receive under way when its endpoint was destroyed asked for a sink"},
    {30, "crossing greetings: a session that only one side knew"},
    {45, "a frame that the inner provider never let go of blocked its stream"},
    {134, "a greeting over a dead connection was never answered"},
    {278, "a candidate greeted under a token that nobody knew"},
    {488, "a session went to and fro between two dead lanes"},
    {3051, "a RESET from the new owner of a port ended a session"},
    {4869, "an acknowledged send waited for a dead connection"},
    {7153, "a message was delivered to two incarnations"},
    {13315, "late RESETs of a port's new owner ended a session"},
    {173493, "an acknowledgement that found no room began connection after connection"},
    {9888, "lanes were changed before they could be tried"},
    {179,
     "an injected message without bytes was announced, and its sender did not wait for its end"},
    {89, "a send that found its ring full was never called again", true},
    {3871, "room in a ring for an answer made a stream of DATA be forgotten", true},
    // This one and 40978 show their faults no more: LeaveTest.crossing_goodbye_goes_over_the_fabric
    // and AnswererTest.offers_again_do_not_keep_our_way_to_the_peer do.
    {7351, "a GOODBYE that stood in a ring alone when its session closed was lost with the ring",
     true},
    {360, "a session with a new card to tell never tried another lane", true},
    {4583, "a candidate was told of a new card only, and never opened", true},
    {40978, "offers over a living connection kept the other way from being given up", true},
    {61164, "frames that one lane had sent were let go more slowly than another acknowledged them",
     true},
    {6331, "refusals of a port counted against the process that took it later", false, true},
    {20590, "greetings of a new card were answered over a dead connection only, without end", true},
    {24438,
     "a PING was answered where LEFT had not gone: a ring that was left was taken for frozen", true,
     true},
    {35724, "the same", true, true},
    {9688,
     "a peer that was back was greeted over a connection that took nothing, and no other way was "
     "tried",
     true, true, true, true},
    {97662, "a send that had arrived another way was held by a dead connection for ever", true,
     true, true, true},
    {53032, "a peer that was heard after its kernel was silent was not sent to another way", true,
     true, true, true},
    {86099, "a peer that parted for a pause heard of too late was never met again", true, true,
     true, true},
    {46880, "PINGs beside a ring were handed to a dead connection one after the other", true, true,
     true, true},
    {85, "a send failed whose receiver had acknowledged it beside a ring, and parted", true, true,
     true, true},
    {4780, "a GOODBYE waited for room in the ring of a peer that had parted", true, true, true,
     true},
    {118139, "questions of a peer made its way to us look well, and ours was dead", true, true,
     true, true},
    {130608, "greetings beside a ring were handed to a dead connection one after the other", true,
     true, true, true},
    {201993, "a home that was replaced had no room for what was late, and never looked again", true,
     true, true, true},
    {31212, "a card that changed between two answers to one greeting was never told", true, false,
     true, true},
    {25, "a payload behind empty pieces was announced where the first of these stood", true, true,
     true, true, true},
};

// The same of --connections.
inline constexpr RegressionSeed kConnectionSeeds[] = {
    {1807, "who had injected, shut and given up counted on what nobody had taken"},
    {2399, "the same, of a server"},
    {4190, "a listener kept the session of a client that had closed before it was welcomed"},
    {4544, "the same"},
};

}  // namespace xs::sim
