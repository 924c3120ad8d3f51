using System.Diagnostics;
using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;
using Xunit.Abstractions;
using static TrainingSupervisor.Testing.Tests.Kubelet.KubeletFixture;

namespace TrainingSupervisor.Testing.Tests.Kubelet;

public sealed class ManyPodsTests(ITestOutputHelper output)
{
    private const string Rule = """
        "restartPolicy":"Never","restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[137]}}]
        """;

    [Fact]
    public async Task RestartAll_SixtyFourPodsAtOnce_AllRunAgain()
    {
        const int Count = 64;
        await using var cluster = new KubeletFixture(null, null, [.. Enumerable.Range(0, Count).Select(i => ($"n{i}", (NodeOptions?)null))]);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < Count; i++)
        {
            cluster.Create($"p{i}", [Shell("main", "exec sleep 1000", Rule)]);
        }

        for (var i = 0; i < Count; i++)
        {
            await cluster.WaitForReadyAsync($"p{i}");
        }

        output.WriteLine($"{Count} Pods started in {clock.ElapsedMilliseconds} ms");
        for (var round = 0; round < 3; round++)
        {
            var from = cluster.Store.ResourceVersion;
            clock.Restart();
            for (var i = 0; i < Count; i++)
            {
                cluster.Plane.Container("default", $"p{i}", "main").Current!.Signal(Libc.SigKill);
            }

            for (var i = 0; i < Count; i++)
            {
                var count = round + 1;
                await cluster.WaitAsync($"p{i}", p => Status(p, "main").Number("restartCount") == count && Condition(p, "Ready") == "True", from);
            }

            output.WriteLine($"{Count} Pods restarted in {clock.ElapsedMilliseconds} ms");
        }
    }
}
