using TrainingSupervisor.Testing.Runtime;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>Commands that a client runs beside a container.</summary>
internal sealed partial class PodWorker
{
    /// <summary>Starts a command in the environment, working directory and volumes of a running container.</summary>
    /// <exception cref="ApiError">500: the container does not run.</exception>
    /// <exception cref="ContainerStartException">There is no such program; the message is the kubelet's.</exception>
    public IAttachedCommand Exec(string container, IReadOnlyList<string> command)
    {
        if (Find(container) is not { Launch: { } launch, Current: { Exited.IsCompleted: false } } slot)
        {
            throw ApiError.Of(500, "InternalError", $"unable to upgrade connection: container not found (\"{container}\")");
        }

        var words = command.Select(launch.Rewrite).ToList();
        if (!_context.Options.SimulateContainers)
        {
            var failed = "Internal error occurred: error executing command in container: failed to exec in container: "
                + $"failed to start exec \"{Guid.NewGuid():N}{Guid.NewGuid():N}\": OCI runtime exec failed: exec failed: unable to start container process: exec";
            if (words.Count == 0)
            {
                throw new ContainerStartException($"{failed}: no command given");
            }

            var path = launch.Environment.GetValueOrDefault("PATH") ?? Environment.GetEnvironmentVariable("PATH");
            words[0] = _context.Images.FindCommand(slot.Image, words[0], launch.WorkingDirectory, path)
                ?? throw new ContainerStartException(words[0].Contains('/')
                    ? $"{failed}: \"{words[0]}\": stat {words[0]}: no such file or directory"
                    : $"{failed}: \"{words[0]}\": executable file not found in $PATH");
        }

        return _context.Runtime.Attach(launch with { Command = words, LogFile = "/dev/null" });
    }
}
