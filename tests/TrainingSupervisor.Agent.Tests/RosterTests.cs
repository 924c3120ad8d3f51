using System.IO.Compression;
using Google.Protobuf;
using TrainingSupervisor.Agent.State;
using TrainingSupervisor.Agent.Worker;
using TrainingSupervisor.Protocol;

namespace TrainingSupervisor.Agent.Tests;

public sealed class RosterTests
{
    public static TheoryData<string> Rubbish =>
    [
        "", "null", "[]", "{}", "7", "\u0001\u0002", "{\"workers\":[]}", "{\"workers\":[null]}", "{\"attempt\":1,\"workers\":[null]}",
        "{\"attempt\":1,\"workers\":[{\"rank\":1}]}", "{\"attempt\":1,\"workers\":[{\"rank\":\"x\"}]}",
        "{\"attempt\":2,\"workers\":[" + Entry(0) + "," + Entry(1) + "]}",
        "{\"attempt\":1,\"workers\":[" + Entry(1) + "]}", "{\"attempt\":1,\"workers\":[" + Entry(0) + "]}",
        "{\"attempt\":1,\"workers\":[" + Entry(0) + "," + Entry(1) + "," + Entry(1) + "]}",
        "{\"attempt\":1,\"workers\":[" + Entry(0) + "," + Entry(1).Replace("10.0.0.1", "", StringComparison.Ordinal) + "]}",
    ];

    [Theory]
    [MemberData(nameof(Rubbish))]
    public void Release_WithARosterThatCannotBe_IsRefusedInWords(string json)
    {
        var machine = new AgentMachine("uid", 88);

        var refuse = Assert.IsType<Effect.Refuse>(Assert.Single(machine.On(Release(ByteString.CopyFromUtf8(json), ByteString.Empty))));

        Assert.Contains("roster", refuse.Reason, StringComparison.Ordinal);
        Assert.Equal((AgentState.Types.Phase.Waiting, 0), (machine.Phase, machine.ObeyedAttempt));
    }

    [Fact]
    public void Release_WithACompressedRoster_StartsTheWorkerWithThePlainOne()
    {
        var plain = Messages.RosterJson(1);

        var effects = new AgentMachine("uid", 88).On(Release(ByteString.Empty, Zip(plain.ToByteArray())));

        var start = Assert.Single(effects.OfType<Effect.StartWorker>());
        Assert.Equal(plain.ToByteArray(), start.RosterJson.ToArray());
        Assert.Equal((2, 29400), (start.Roster.Workers.Count, start.Roster.MasterPort));
    }

    [Fact]
    public void Release_WithACompressedRosterThatIsNone_IsRefused()
    {
        var bomb = Zip(new byte[RosterBytes.Most + 1]);
        foreach (var (bytes, said) in new[]
                 {
                     (ByteString.CopyFromUtf8("not gzip"), "cannot be decompressed"), (bomb, "the roster is larger than"), (Zip("{}"u8.ToArray()), "names no workers"),
                 })
        {
            var effects = new AgentMachine("uid", 88).On(Release(ByteString.Empty, bytes));
            Assert.Contains(said, Assert.IsType<Effect.Refuse>(Assert.Single(effects)).Reason, StringComparison.Ordinal);
        }
    }

    private static string Entry(int rank) => $$"""{"rank":{{rank}},"worker":"trainer-{{rank}}","role":"trainer","index":{{rank}},"address":"10.0.0.{{rank}}"}""";

    private static ByteString Zip(byte[] bytes)
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest)) gzip.Write(bytes);
        return ByteString.CopyFrom(buffer.ToArray());
    }

    private static SupervisorMessage Release(ByteString plain, ByteString gzip) =>
        new() { Term = 1, PodUid = "uid", Release = new Release { Attempt = 1, Rank = 1, Roster = plain, RosterGzip = gzip } };
}
