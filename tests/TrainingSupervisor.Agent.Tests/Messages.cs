using Google.Protobuf;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests;

internal static class Messages
{
    internal static ByteString RosterJson(int attempt) => ByteString.CopyFromUtf8($$"""
        {"gang":"llm","attempt":{{attempt}},"worldSize":2,"masterPort":29400,"workers":[
        {"rank":0,"worker":"trainer-0","role":"trainer","index":0,"pod":"a","address":"10.0.0.7","node":"n1"},
        {"rank":1,"worker":"trainer-1","role":"trainer","index":1,"pod":"b","address":"10.0.0.9","node":"n2"}]}
        """);

    internal static SupervisorMessage Welcome(long term, string uid = "uid") => new() { Term = term, PodUid = uid, Welcome = new Welcome() };

    internal static SupervisorMessage Release(int attempt, long term = 1, string uid = "uid", int rank = 1) =>
        new() { Term = term, PodUid = uid, Release = new Release { Attempt = attempt, Rank = rank, Roster = RosterJson(attempt) } };

    internal static SupervisorMessage RosterUpdate(int attempt, int rank = 1) =>
        new() { Term = 1, PodUid = "uid", RosterUpdate = new Release { Attempt = attempt, Rank = rank, Roster = RosterJson(attempt) } };

    internal static SupervisorMessage Restart(int attempt, bool inPlace = false, long term = 1, string uid = "uid", int grace = 0) => new()
    {
        Term = term,
        PodUid = uid,
        Restart = new Restart
        {
            Attempt = attempt, GraceMs = grace, Reason = "test", Mode = inPlace ? Protocol.Restart.Types.Mode.InPlace : Protocol.Restart.Types.Mode.Process,
        },
    };

    internal static SupervisorMessage Halt(int code, long term = 1) =>
        new() { Term = term, PodUid = "uid", Halt = new Halt { ExitCode = code, Reason = "test" } };

    internal static SupervisorMessage Run(string id, string script, int timeout = 60_000, long term = 1, string uid = "uid") =>
        new() { Term = term, PodUid = uid, RunCommand = new RunCommand { Id = id, Argv = { "sh", "-c", script }, TimeoutMs = timeout } };

    internal static SupervisorMessage Quiesce(int attempt, int deadline = 20_000) =>
        new() { Term = 1, PodUid = "uid", Quiesce = new Quiesce { Attempt = attempt, DeadlineMs = deadline } };
}
