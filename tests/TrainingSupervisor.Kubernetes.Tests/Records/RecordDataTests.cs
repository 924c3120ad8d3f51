using k8s.Models;
using TrainingSupervisor.Engine;
using Xunit.Abstractions;

namespace TrainingSupervisor.Kubernetes.Tests.Records;

public sealed class RecordDataTests(ITestOutputHelper output)
{
    [Fact]
    public void Write_SmallRecord_IsTextThatPeopleCanRead()
    {
        var map = Map();
        RecordData.Write(map, Record(workers: 8));
        Assert.Contains("\"attempt\":7", Assert.Single(map.Data).Value, StringComparison.Ordinal);
        Assert.Null(map.BinaryData);
        Same(Record(workers: 8), RecordData.Read(map));
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(10_000)]
    public void Write_EveryWorkerRecreated_FitsIntoAConfigMap(int workers)
    {
        var record = Record(workers);
        var map = Map();
        RecordData.Write(map, record);

        var packed = Assert.Single(map.BinaryData).Value;
        output.WriteLine($"{workers} workers, all recreated, 20 such recoveries in the history: {RecordJson.Write(record).Length:N0} bytes of JSON, {packed.Length:N0} packed");
        Assert.InRange(packed.Length, 1, 1024 * 1024);
        Assert.Null(map.Data);
        var read = RecordData.Read(map);
        Assert.Equal(record.Plan!.Steps.AsEnumerable(), read.Plan!.Steps.AsEnumerable());
        Assert.Equal(record.Retired.AsEnumerable(), read.Retired.AsEnumerable());
        Assert.Equal(20, read.History.Length);
        Assert.Equal(workers, read.History[^1].Steps.Length);
    }

    [Fact]
    public void Write_HistoryTooLarge_KeepsThePlanAndDropsTheHistory()
    {
        var random = new Random(1);
        var noise = new byte[2_000_000];
        random.NextBytes(noise);
        var record = Record(workers: 10_000) with { History = [new RecoveryPlan { Attempt = 1, Reason = Convert.ToBase64String(noise) }] };
        var map = Map();
        RecordData.Write(map, record);
        var read = RecordData.Read(map);
        Assert.Empty(read.History);
        Assert.Equal(record.Plan!.Steps.AsEnumerable(), read.Plan!.Steps.AsEnumerable());
    }

    [Fact]
    public void Write_TooLargeAtAll_SaysSoAndWhatToDo()
    {
        var random = new Random(1);
        var noise = new byte[2_000_000];
        random.NextBytes(noise);
        var e = Assert.Throws<RejectedException>(() => RecordData.Write(Map(), new GangRecord { Outcome = Convert.ToBase64String(noise) }));
        Assert.Contains("the gang is too large", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_PackedOnceAndSmallAgain_IsTextAgain()
    {
        var map = Map();
        RecordData.Write(map, Record(workers: 5000));
        RecordData.Write(map, Record(workers: 2));
        Assert.Equal(2, RecordData.Read(map).Plan!.Steps.Length);
        Assert.Null(map.BinaryData);
    }

    [Fact]
    public void Read_Damaged_NamesTheConfigMap()
    {
        var map = Map();
        map.BinaryData = new Dictionary<string, byte[]> { [RecordData.PackedKey] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] };
        Assert.Contains("gang-llm", Assert.Throws<SupervisorException>(() => RecordData.Read(map)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SaveRecord_LargePlan_IsReadBackByTheNextSupervisor()
    {
        await using var fixture = await Fixture.StartAsync(o => o.NodeCount = 0);
        await using var first = fixture.Factory().Create();
        await first.BindAsync(Fixture.Spec, "https://a:1", default);
        await first.SaveRecordAsync(Fixture.Spec, Record(workers: 10_000), default);
        // The answer to the second write is lost: its repetition must see that it was ours.
        using var fault = fixture.Cluster.Api.AbortRequests(r => r.Resource == "configmaps" && r.Verb == "update", count: 1, afterActing: true);
        var record = Record(workers: 10_000) with { Attempt = 8 };
        await first.SaveRecordAsync(Fixture.Spec, record, default);

        await using var second = fixture.Factory().Create();
        var read = (await second.BindAsync(Fixture.Spec, "https://a:1", default)).Record!;
        Assert.Equal(8, read.Attempt);
        Assert.Equal(record.Plan!.Steps.AsEnumerable(), read.Plan!.Steps.AsEnumerable());
    }

    [Fact]
    public void Read_WhatThePolicyRemembers_IsAllThere()
    {
        var record = Record(workers: 8);
        var failure = new Failure(FailureKind.Killed, "x", DateTimeOffset.UnixEpoch) { Worker = new WorkerId("trainer", 3), Node = "node-3" };
        var decision = RecoveryPolicy.Create(p => p.OnAny(r => r.Named("mine").Use(RecoveryStrategy.Hybrid).Quiesce(TimeSpan.FromSeconds(7)).AvoidNode().CheckHealth()))
            .Decide(new FailureContext(failure, DateTimeOffset.UnixEpoch) { Recoveries = record.Recoveries });
        var map = Map();
        RecordData.Write(map, record with { Plan = record.Plan! with { Cause = failure, Decision = decision } });

        var read = RecordData.Read(map);
        Assert.Equal(record.Recoveries.AsEnumerable(), read.Recoveries.AsEnumerable());
        Assert.Equal(decision with { Budgets = [] }, read.Plan!.Decision! with { Budgets = [] });
        Assert.Equal(decision.Budgets.AsEnumerable(), read.Plan!.Decision!.Budgets.AsEnumerable());
        Assert.Equal(failure, read.Plan.Cause);
    }

    private static V1ConfigMap Map() => new() { Metadata = new V1ObjectMeta { Name = "gang-llm" } };

    private static void Same(GangRecord expected, GangRecord actual) => Assert.Equal(RecordJson.Write(expected), RecordJson.Write(actual));

    /// <summary>As after a series of recoveries that recreated every Pod: the largest that the machine makes.</summary>
    private static GangRecord Record(int workers)
    {
        var at = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        var ids = Enumerable.Range(0, workers).Select(i => new WorkerId("trainer", i)).ToList();
        RecoveryPlan Plan(int attempt) => new()
        {
            Attempt = attempt,
            Strategy = RecoveryStrategy.RecreateGang,
            Decided = at,
            Steps = [.. ids.Select(w => new WorkerStep(w, RecoveryStep.Recreate, "the strategy recreates every Pod") { Pod = $"llm-{w}-{attempt}", OldPod = $"llm-{w}-{attempt - 1}" })],
        };
        // UIDs do not compress: they are what counts.
        var uids = new Random(3);
        string Uid()
        {
            var bytes = new byte[16];
            uids.NextBytes(bytes);
            return new Guid(bytes).ToString();
        }

        return new GangRecord
        {
            Attempt = 7,
            Phase = GangPhase.Recovering,
            Plan = Plan(7),
            History = [.. Enumerable.Range(0, Math.Min(20, workers)).Select(Plan)],
            Recoveries = [.. Enumerable.Range(0, Math.Min(50, workers)).Select(i => new RecoveryEntry(at.AddMinutes(i), i + 2, FailureKind.Killed)
            {
                Worker = ids[i % ids.Count], Cell = $"trainer/{i}", Node = $"node-{i}", Rule = "Killed in role trainer", Rung = 1, Strategy = RecoveryStrategy.RecreateFailed, BestStep = i * 100L,
            })],
            Incarnations = System.Collections.Immutable.ImmutableSortedDictionary.CreateRange(ids.Select(w => KeyValuePair.Create(w.ToString(), 7))),
            Retired = System.Collections.Immutable.ImmutableSortedDictionary.CreateRange(
                ids.Select(w => KeyValuePair.Create($"llm-{w}-6", new RetiredPod(Uid(), $"node-{w.Index}.cluster.example", at.AddMilliseconds(w.Index))))),
        };
    }
}
