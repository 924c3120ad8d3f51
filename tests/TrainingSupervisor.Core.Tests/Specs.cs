namespace TrainingSupervisor.Core.Tests;

internal static class Specs
{
    /// <summary>A gang whose Pods something else creates.</summary>
    public static GangBuilder Adopted(int workers) => TrainingSupervisor.Gang.Create("llm")
        .AddRole("trainer", r => r.WithCount(workers).WithAdoptedPods("job-name=llm"))
        .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1));

    public static GangBuilder Gang(int workers = 4, int spares = 0, Action<GangBuilder>? more = null)
    {
        var builder = TrainingSupervisor.Gang.Create("llm")
            .AddRole("trainer", r => r.WithCount(workers).WithSpares(spares).WithImage("train:1").WithCommand("train").WithAgentInImage("/agent"))
            .WithFence(TimeSpan.FromSeconds(5)).WithHeartbeat(TimeSpan.FromSeconds(1));
        more?.Invoke(builder);
        return builder;
    }
}
