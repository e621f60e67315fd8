. "$(dirname "$0")/lib.sh"
scripts/demo.sh
echo "packages: $(find "$state"/demo -name '*.rpm' | wc -l)"
