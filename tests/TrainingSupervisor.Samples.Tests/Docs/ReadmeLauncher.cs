using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace TrainingSupervisor.Samples.Tests.Docs;

/// <summary>The README's launcher, word for word.</summary>
internal static class ReadmeLauncher
{
    public static async Task<GangResult> RunAsync(HostApplicationBuilder builder, string path)
    {
        builder.Services.AddTrainingSupervisor(options => options.KubeConfigPath = path);
        using var host = builder.Build();
        await host.StartAsync();

        var supervisor = host.Services.GetRequiredService<ITrainingSupervisor>();
        var gang = await supervisor.LaunchAsync(Gang.Create("llm")
            .AddRole("trainer", role => role
                .WithCount(8).WithSpares(1)
                .WithImage("registry.example/train:1")
                .WithCommand("python", "train.py")
                .WithOnePerNode()
                .WithAgentFromImageVolume("registry.example/gang-agent:1"))
            .WithPolicy(policy => policy.OnExitCode([64], RecoveryStrategy.FailGang))
            .Build());
        var result = await gang.WaitAsync();
        await host.StopAsync();
        return result;
    }
}
