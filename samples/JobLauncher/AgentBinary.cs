using System.Reflection;

namespace JobLauncher;

/// <summary>Where the build has put the agent, for the embedded cluster. A real cluster pulls it as an image.</summary>
internal static class AgentBinary
{
    public static string Directory => Assembly.GetExecutingAssembly()
        .GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "AgentDirectory").Value!;
}
